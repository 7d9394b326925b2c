#!/usr/bin/env python3
"""Microsoft's Python SDKs read the simulated cloud, and must find what the cloud says is there.

usage: azure_sdk.py SERVE_CLOUD   (tests/contract's program of that name)
"""

import os
import sys
import unittest

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient

from cloud import Cloud

CLOUD = None


def lower(text):
    """Ids are compared in lower case, as Azure compares them."""
    return None if text is None else text.lower()


def codes(view):
    return [status.code for status in (view.statuses or [])] if view else []


def machine(found):
    """A machine in the form of tests/contract/src/reading.rs."""
    view = found.instance_view
    health = view.vm_health.status.code if view and view.vm_health else None
    references = found.network_profile.network_interfaces if found.network_profile else []
    return {
        "id": lower(found.id),
        "name": found.name,
        "provisioning": found.provisioning_state,
        "statuses": codes(view),
        "health": health,
        "interfaces": [{"id": lower(one.id), "primary": one.primary} for one in references],
    }


def interface(found):
    """A network interface in the form of tests/contract/src/reading.rs."""
    return {
        "id": lower(found.id),
        "provisioning": found.provisioning_state,
        "primary": found.primary,
        "machine": lower(found.virtual_machine.id) if found.virtual_machine else None,
        "addresses": [
            {"address": one.private_ip_address, "primary": one.primary}
            for one in found.ip_configurations
        ],
    }


def by_id(items):
    return sorted(items, key=lambda item: item["id"])


class AzureSdk(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        info = CLOUD.info
        cls.info, cls.group = info, info["group"]
        ca = info["environment"]["SSL_CERT_FILE"]
        os.environ.update(info["environment"])
        cls.credential = ManagedIdentityCredential()
        options = {
            "base_url": info["resource_manager"],
            "credential_scopes": [info["resource_manager_audience"] + "/.default"],
            "connection_verify": ca,
        }
        cls.compute = ComputeManagementClient(cls.credential, info["subscription"], **options)
        cls.network = NetworkManagementClient(cls.credential, info["subscription"], **options)
        cls.vault = SecretClient(
            info["vault"],
            cls.credential,
            connection_verify=ca,
            # The vault is on localhost, which is no part of the challenge's vault.azure.net.
            verify_challenge_resource=False,
        )

    def test_managed_identity(self):
        token = self.credential.get_token(self.info["resource_manager_audience"] + "/.default")
        self.assertTrue(token.token)
        self.assertGreater(token.expires_on, 0)

    def test_secret(self):
        name = self.info["secret_id"].rsplit("/", 1)[1]
        secret = self.vault.get_secret(name)
        self.assertEqual(secret.value, self.info["api_key"])
        self.assertEqual(secret.name, name)
        self.assertTrue(secret.properties.enabled)
        self.assertTrue(secret.id.startswith(self.info["secret_id"] + "/"))
        again = self.vault.get_secret(name, secret.properties.version)
        self.assertEqual(again.value, self.info["api_key"])

    def test_no_such_secret(self):
        with self.assertRaises(ResourceNotFoundError) as refused:
            self.vault.get_secret("no-such-secret")
        self.assertEqual(refused.exception.error.code, "SecretNotFound")

    def test_scale_sets(self):
        for key in ("uniform", "flexible"):
            with self.subTest(key):
                wanted = self.info[key]
                found = self.compute.virtual_machine_scale_sets.get(self.group, wanted["name"])
                self.assertEqual(lower(found.id), lower(wanted["id"]))
                self.assertEqual(found.name, wanted["name"])
                read = {"capacity": found.sku.capacity, "mode": found.orchestration_mode}
                self.assertEqual(read, wanted["set"])

    def test_machines_of_a_uniform_set(self):
        wanted = self.info["uniform"]
        machines = self.compute.virtual_machine_scale_set_vms.list(
            self.group, wanted["name"], expand="instanceView"
        )
        self.assertEqual(by_id(map(machine, machines)), by_id(wanted["machines"]))

    def test_machines_of_a_flexible_set(self):
        wanted = self.info["flexible"]
        machines = self.compute.virtual_machines.list(
            self.group,
            filter=f"'virtualMachineScaleSet/id' eq '{wanted['id']}'",
            expand="instanceView",
        )
        machines = list(machines)
        for found in machines:
            self.assertEqual(lower(found.virtual_machine_scale_set.id), lower(wanted["id"]))
        self.assertEqual(by_id(map(machine, machines)), by_id(wanted["machines"]))

    def test_interfaces_of_a_uniform_set(self):
        wanted = self.info["uniform"]
        operations = self.network.network_interfaces
        found = operations.list_virtual_machine_scale_set_network_interfaces(
            self.group, wanted["name"]
        )
        self.assertEqual(by_id(map(interface, found)), by_id(wanted["interfaces"]))

    def test_interfaces_of_the_group(self):
        found = by_id(map(interface, self.network.network_interfaces.list(self.group)))
        orphans = [one for one in found if one["machine"] is None]
        owned = [one for one in found if one["machine"] is not None]
        wanted = self.info["flexible"]["interfaces"] + self.info["other"]["interfaces"]
        self.assertEqual(owned, by_id(wanted))
        addresses = [address["address"] for one in orphans for address in one["addresses"]]
        self.assertEqual(addresses, [self.info["orphan"]["address"]])

    def test_one_interface(self):
        wanted = self.info["flexible"]["interfaces"][0]
        name = wanted["id"].rsplit("/", 1)[1]
        found = self.network.network_interfaces.get(self.group, name)
        self.assertEqual(interface(found), wanted)

    def test_refusals(self):
        with self.assertRaises(ResourceNotFoundError) as refused:
            self.compute.virtual_machine_scale_sets.get(self.group, "no-such-set")
        self.assertEqual(refused.exception.error.code, "ResourceNotFound")
        with self.assertRaises(HttpResponseError) as refused:
            list(self.compute.virtual_machines.list(self.group, expand="instanceView"))
        self.assertEqual(refused.exception.status_code, 400)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with Cloud(sys.argv[1]) as CLOUD:
        run = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2)
    sys.exit(not run.result.wasSuccessful())
