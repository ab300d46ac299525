/**
 * Port 53 of 127.0.0.11 inside a container's namespace, without binding it: a container may run a name server of its own on all
 * its addresses. Packets to that address have their ports rewritten on their way out, both ways and without connection
 * tracking, which would cost every other packet of the container something. As nft shows it, for each protocol:
 *
 *   ip daddr 127.0.0.11 udp dport 53 udp dport set <port>
 *   ip saddr 127.0.0.11 udp sport <port> udp sport set 53
 */
import { ipToBytes, parseIp } from "../../core/network/ip-address.ts";
import { NAME_SERVER_ADDRESS } from "../../core/network/name-server.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../linux/netlink.ts";
import { type HeaderField, HOOK, installChain, matchField, matchProtocol, setField } from "../linux/nftables-batch.ts";

/** Before connection tracking. */
const PRIORITY = -300;
const DNS_PORT = portBytes(53);
const SOURCE_PORT: HeaderField = { base: "transport", offset: 0 };
const DESTINATION_PORT: HeaderField = { base: "transport", offset: 2 };
const ADDRESS = ipToBytes(parseIp(NAME_SERVER_ADDRESS));
const FROM_US = matchField({ base: "network", offset: 12 }, ADDRESS);
const TO_US = matchField({ base: "network", offset: 16 }, ADDRESS);
const TO_NAME_PORT = matchField(DESTINATION_PORT, DNS_PORT);
const TRANSPORTS = {
	udp: { isOurs: matchProtocol(17), checksumOffset: 6 },
	tcp: { isOurs: matchProtocol(6), checksumOffset: 16 },
} as const;

/** Leads the well-known port to these. Call inside the namespace; again to change the ports. @throws ErrnoError */
export function redirectNamePort(ports: { readonly udp: number; readonly tcp: number }): void {
	const rules = (["udp", "tcp"] as const).flatMap((transport) => {
		const { isOurs, checksumOffset } = TRANSPORTS[transport];
		const port = portBytes(ports[transport]);
		return [
			[...TO_US, ...isOurs, ...TO_NAME_PORT, ...setField(DESTINATION_PORT, port, checksumOffset)],
			[...FROM_US, ...isOurs, ...matchField(SOURCE_PORT, port), ...setField(SOURCE_PORT, DNS_PORT, checksumOffset)],
		];
	});
	using socket = new NetlinkSocket(NETLINK_NETFILTER);
	installChain(
		socket,
		{ family: "ip", name: "gantry-names" },
		{ name: "out", hook: HOOK.output, priority: PRIORITY, rules },
	);
}

function portBytes(port: number): Uint8Array {
	return Uint8Array.of(port >> 8, port & 0xff);
}
