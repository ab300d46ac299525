import { randomBytes } from "node:crypto";
import { InvalidParameterError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { ContainerEndpoint, ContainerRecord } from "../../core/container/container-record.ts";
import { macAddressFor, parseMacAddress } from "../../core/network/mac-address.ts";
import { interfacePrefixOf } from "../../core/network/network-creation.ts";
import { driverNetworkOf, type NetworkRecord } from "../../core/network/network-record.ts";
import { AddressBook } from "./address-book.ts";
import { type Assigned, type AttachedEndpoint, ENDPOINT_INTERFACE } from "./network-plan.ts";

/** Settles what an endpoint gets: addresses, MAC address, interface name. */
export class EndpointAssigner {
	readonly addresses = new AddressBook();

	/**
	 * @param interfaces names the container has already
	 * @throws ForbiddenError address in use, InvalidParameterError, UnavailableError no address left
	 */
	assign(
		record: ContainerRecord,
		network: NetworkRecord,
		requested: ContainerEndpoint["requested"],
		interfaces: ReadonlySet<string>,
	): AttachedEndpoint {
		const link = driverNetworkOf(network);
		if (link === undefined) throw new InvalidParameterError(`network ${network.name} gives out no addresses`);
		const interfaceName = chooseInterface(network, requested, interfaces);
		const wantedMac = requested.MacAddress || record.config.MacAddress || "";
		const mac = wantedMac === "" ? undefined : parseMacAddress(wantedMac);
		const endpointId = newId();
		const taken = this.addresses.take(network, endpointId, {
			address: requested.IPAMConfig?.IPv4Address ?? "",
			address6: requested.IPAMConfig?.IPv6Address ?? "",
		});
		const { address, prefixLength, address6, prefixLength6 } = taken;
		const [gateway, gateway6] = link.internal ? ["", ""] : [taken.gateway, taken.gateway6];
		const assigned: Assigned = {
			networkId: network.id,
			endpointId,
			interfaceName,
			address,
			prefixLength,
			gateway,
			...(address6 === "" ? {} : { address6, prefixLength6, gateway6 }),
			macAddress: link.kind === "ipvlan" ? "" : (mac ?? (address === "" ? randomMacAddress() : macAddressFor(address))),
		};
		return { network, link, requested, assigned };
	}

	adopt(network: NetworkRecord, assigned: Assigned): void {
		this.addresses.adopt(network, assigned.endpointId, [assigned.address, assigned.address6 ?? ""]);
	}

	release({ networkId, endpointId, address, address6 }: Assigned): void {
		this.addresses.release(networkId, endpointId, [address, address6 ?? ""]);
	}
}

function chooseInterface(
	network: NetworkRecord,
	requested: ContainerEndpoint["requested"],
	taken: ReadonlySet<string>,
): string {
	const wanted = requested.DriverOpts?.[ENDPOINT_INTERFACE] ?? "";
	if (wanted !== "") {
		if (!/^[A-Za-z0-9_.-]{1,15}$/.test(wanted) || [".", "..", "lo"].includes(wanted))
			throw new InvalidParameterError(`invalid interface name "${wanted}"`);
		if (taken.has(wanted)) throw new InvalidParameterError(`interface name "${wanted}" is used twice`);
		return wanted;
	}
	const prefix = interfacePrefixOf(network);
	for (let index = 0; ; index++) if (!taken.has(`${prefix}${index}`)) return `${prefix}${index}`;
}

/** Locally administered, for endpoints without the IPv4 address that others are derived from. */
function randomMacAddress(): string {
	return ["02", "42", ...[...randomBytes(4)].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}
