//! x
#[test]
fn x() {
    let _: Option<azure_mgmt_compute::models::VirtualMachineScaleSetVm> = None;
    let _: Option<azure_mgmt_network::models::NetworkInterface> = None;
}
