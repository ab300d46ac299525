/** Connection tracking entries by ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h). */
import { errnoCode } from "../../base/errors.ts";
import type { NetlinkSocket } from "./netlink.ts";
import { decodeAttributes, NetlinkPayload } from "./netlink-message.ts";

const NFNL_SUBSYS_CTNETLINK = 1 << 8;
const IPCTNL_MSG_CT_GET = NFNL_SUBSYS_CTNETLINK | 1;
const IPCTNL_MSG_CT_DELETE = NFNL_SUBSYS_CTNETLINK | 2;
const CTA_TUPLE_ORIG = 1;
const CTA_ZONE = 18;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const NFGENMSG_BYTES = 4;
const IPPROTO_UDP = 17;
const FAMILIES = { 4: 2, 6: 10 } as const;
const NESTED = 0x8000;

/**
 * Forgets UDP flows towards these ports of the host. NAT is decided once per flow: a client that keeps sending from one port
 * would be led to a container that is long gone, or past one that has just come.
 * @param socket of protocol NETLINK_NETFILTER
 * @returns how many entries were removed
 */
export function forgetUdpFlows(socket: NetlinkSocket, family: 4 | 6, hostPorts: ReadonlySet<number>): number {
	const header = Buffer.from([FAMILIES[family], 0, 0, 0]);
	const payload = new NetlinkPayload(header);
	const entries = socket.dump({ type: IPCTNL_MSG_CT_GET, payload, purpose: "conntrack list" });
	let removed = 0;
	for (const entry of entries) {
		const attributes = decodeAttributes(entry.payload, NFGENMSG_BYTES);
		const original = attributes.get(CTA_TUPLE_ORIG);
		const protocol = original === undefined ? undefined : decodeAttributes(original).get(CTA_TUPLE_PROTO);
		if (original === undefined || protocol === undefined) continue;
		const fields = decodeAttributes(protocol);
		if (fields.get(CTA_PROTO_NUM)?.[0] !== IPPROTO_UDP) continue;
		const port = fields.get(CTA_PROTO_DST_PORT)?.readUInt16BE();
		if (port === undefined || !hostPorts.has(port)) continue;
		if (deleteEntry(socket, header, original, attributes.get(CTA_ZONE))) removed++;
	}
	return removed;
}

function deleteEntry(socket: NetlinkSocket, header: Uint8Array, tuple: Buffer, zone: Buffer | undefined): boolean {
	const payload = new NetlinkPayload(header).bytes(CTA_TUPLE_ORIG | NESTED, tuple);
	if (zone !== undefined) payload.bytes(CTA_ZONE, zone);
	try {
		socket.request({ type: IPCTNL_MSG_CT_DELETE, payload, purpose: "conntrack delete" });
		return true;
	} catch (error) {
		// It timed out by itself meanwhile.
		if (errnoCode(error) === "ENOENT") return false;
		throw error;
	}
}
