/**
 * Port 53 of 127.0.0.11 inside a container's namespace, without binding it: a container may run a name server of its own on all
 * its addresses. Packets to that address have their ports rewritten on their way out, both ways and without connection
 * tracking, which would cost every other packet of the container something.
 */
import { NAME_SERVER_ADDRESS } from "../../core/network/name-server.ts";
import { Nftables } from "../linux/nftables.ts";

const TABLE = "ip gantry-names";
const DNS_PORT = 53;

/** Leads the well-known port to these. Call inside the namespace; again to change the ports. @throws NftablesError */
export function redirectNamePort(ports: { readonly udp: number; readonly tcp: number }): void {
	const rules = (["udp", "tcp"] as const).flatMap((protocol) => {
		const port = ports[protocol];
		return [
			`add rule ${TABLE} out ip daddr ${NAME_SERVER_ADDRESS} ${protocol} dport ${DNS_PORT} ${protocol} dport set ${port}`,
			`add rule ${TABLE} out ip saddr ${NAME_SERVER_ADDRESS} ${protocol} sport ${port} ${protocol} sport set ${DNS_PORT}`,
		];
	});
	using nftables = new Nftables();
	nftables.run(
		[
			`add table ${TABLE}`,
			`add chain ${TABLE} out { type filter hook output priority -300; }`,
			`flush chain ${TABLE} out`,
			...rules,
			"",
		].join("\n"),
	);
}
