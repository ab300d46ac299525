import type { NetworkInspect } from "../../api/engine/network.ts";
import type { ContainerRecord } from "../container/container-record.ts";
import type { NetworkRecord } from "./network-record.ts";

/** What the API shows of a network. @param members the containers that are connected and run */
export function networkView(record: NetworkRecord, members: readonly ContainerRecord[]): NetworkInspect {
	const containers: NetworkInspect["Containers"] = {};
	for (const member of members) {
		const assigned = member.endpoints[record.name]?.assigned;
		containers[member.id] = {
			Name: member.name,
			EndpointID: assigned?.endpointId ?? "",
			MacAddress: assigned?.macAddress ?? "",
			IPv4Address: assigned === undefined ? "" : cidr(assigned.address, assigned.prefixLength),
			IPv6Address: assigned?.address6 === undefined ? "" : cidr(assigned.address6, assigned.prefixLength6 ?? 64),
		};
	}
	return {
		Name: record.name,
		Id: record.id,
		Created: new Date(record.createdAt).toISOString().replace("Z", "000000Z"),
		Scope: "local",
		Driver: record.driver,
		EnableIPv4: record.enableIpv4,
		EnableIPv6: record.enableIpv6,
		IPAM: {
			Driver: record.ipamDriver ?? "default",
			Options: record.ipamOptions ?? null,
			Config: ipamConfig(record),
		},
		Internal: record.internal,
		Attachable: record.attachable,
		Ingress: false,
		ConfigFrom: { Network: record.configFrom ?? "" },
		ConfigOnly: record.configOnly === true,
		Containers: containers,
		Options: { ...record.options },
		Labels: { ...record.labels },
	};
}

function ipamConfig(record: NetworkRecord): NetworkInspect["IPAM"]["Config"] {
	if (record.ipam.length === 0) return null;
	return record.ipam.map(({ subnet, gateway, range, auxiliary }) => ({
		Subnet: subnet,
		...(range === undefined ? {} : { IPRange: range }),
		...(gateway === undefined ? {} : { Gateway: gateway }),
		...(auxiliary === undefined ? {} : { AuxiliaryAddresses: { ...auxiliary } }),
	}));
}

function cidr(address: string, prefixLength: number): string {
	return address === "" ? "" : `${address}/${prefixLength}`;
}
