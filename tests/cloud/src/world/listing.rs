//! How Resource Manager shows things: paging, the case of ids, refusals.

use super::World;

/// What the NIC list of a Uniform set without instances answers; both have been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyNicList {
    /// 200 with an empty list.
    #[default]
    EmptyList,
    /// 404 `NotFound`, as sets made by AKS do.
    NotFound,
}

impl World {
    /// The largest number of items on one page of a list; 1000 at first.
    pub fn set_page_size(&self, size: usize) {
        self.with(|state| state.compute.page_size = size.max(1));
    }

    /// Prints machines and network interfaces in their full size, with all that nobody asked for:
    /// about 5.6 kB and 1.5 kB each, as the service does. The short form is at first.
    pub fn print_full_documents(&self, on: bool) {
        self.with(|state| state.compute.full_documents = on);
    }

    /// Prints every ARM id in upper case, as Azure does now and then.
    pub fn print_ids_in_upper_case(&self, on: bool) {
        self.with(|state| state.compute.upper_case_ids = on);
    }

    /// Leaves the spaces of a `$filter` unescaped in `nextLink`, as Azure has been seen to do.
    pub fn put_spaces_in_next_links(&self, on: bool) {
        self.with(|state| state.compute.spaces_in_next_link = on);
    }

    /// Chooses how an empty Uniform NIC list answers.
    pub fn set_empty_nic_list(&self, answer: EmptyNicList) {
        self.with(|state| state.compute.empty_nic_list = answer);
    }

    /// Lists of VMs with `$expand=instanceView` leave `networkProfile` out, as the service may.
    pub fn drop_network_profile_when_expanded(&self, on: bool) {
        self.with(|state| state.compute.expand_drops_profile = on);
    }

    /// Lists with `$expand=instanceView` also need the action `…/instanceView/read`. Whether
    /// Azure asks for it is not documented; it does not here unless switched on.
    pub fn demand_instance_view_action(&self, on: bool) {
        self.with(|state| state.compute.expand_needs_action = on);
    }

    /// Refuses every request that needs this action with 403 `AuthorizationFailed`.
    pub fn deny_action(&self, action: &str) {
        self.with(|state| state.compute.denied.insert(action.to_lowercase()));
    }

    /// The identity has its roles at these ids and below only. Everywhere else it is refused with
    /// 403 `AuthorizationFailed`, whether the resource exists or not.
    pub fn limit_roles_to(&self, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| scope.to_lowercase()).collect();
        self.with(|state| state.compute.role_scopes = Some(scopes));
    }

    /// Moves a subscription into another tenant: the identity's tokens are refused for it.
    pub fn move_to_another_tenant(&self, subscription: &str) {
        let subscription = subscription.to_lowercase();
        self.with(|state| state.compute.foreign_subscriptions.insert(subscription));
    }

    /// Takes [`World::deny_action`] back.
    pub fn allow_action(&self, action: &str) {
        self.with(|state| state.compute.denied.remove(&action.to_lowercase()));
    }
}
