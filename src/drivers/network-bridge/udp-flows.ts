import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { forgetUdpFlows } from "../linux/conntrack.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../linux/netlink.ts";
import type { EndpointState } from "./endpoint-state.ts";

/** The published UDP ports of an endpoint lead elsewhere now: clients that keep sending must be led anew. */
export function forgetFlows({ mappings, address6 }: EndpointState, logger: Logger): void {
	const udp = mappings.filter((mapping) => mapping.protocol === "udp");
	if (udp.length === 0) return;
	const ports = new Set(udp.map((mapping) => mapping.hostPort));
	try {
		using socket = new NetlinkSocket(NETLINK_NETFILTER);
		forgetUdpFlows(socket, 4, ports);
		if (address6 !== undefined) forgetUdpFlows(socket, 6, ports);
	} catch (error) {
		// New flows are right all the same; old ones time out.
		logger.warn("connection tracking entries could not be removed", { error: errorMessage(error) });
	}
}
