/**
 * Tells of changes to nftables' tables, whoever makes them (nfnetlink's multicast group for nftables;
 * include/uapi/linux/netfilter/nf_tables.h). The kernel sends what a transaction changed, and then a message with its new
 * generation and the process that did it.
 */
import type { Socket, SocketHandler, TCPSocketConnectOptions } from "bun";
import type { Logger } from "../../base/logger.ts";
import { closeDescriptor, O } from "./file-descriptors.ts";
import { check, libc } from "./libc.ts";
import { attributeText, decodeAttributes, decodeMessages, type NetlinkMessage } from "./netlink-message.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BYTES = 8 * 1024 * 1024;
const NFNLGRP_NFTABLES = 7;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
const NFTA_TABLE = 1;
const NFTA_GEN_PROC_PID = 2;
const NFGENMSG_BYTES = 4;
const FAMILIES: Readonly<Record<number, string>> = {
	1: "inet",
	2: "ip",
	3: "arp",
	5: "netdev",
	7: "bridge",
	10: "ip6",
};

export interface RulesetChange {
	/** `family name` of the tables that were changed. */
	readonly tables: ReadonlySet<string>;
	/** As the kernel counts processes. */
	readonly pid: number;
}

export class NftablesMonitor implements Disposable {
	#socket: Socket<undefined> | undefined;
	#tables = new Set<string>();
	#closed = false;

	/** @param onLoss messages were lost, anything may have changed */
	constructor(
		private readonly onChange: (change: RulesetChange) => void,
		private readonly onLoss: () => void,
		private readonly logger: Logger,
	) {}

	/** Listens in the current network namespace. @throws ErrnoError */
	async open(): Promise<void> {
		const fd = check(
			libc.socket(AF_NETLINK, SOCK_RAW | O.CLOEXEC | O.NONBLOCK, NETLINK_NETFILTER),
			"socket",
			"netlink",
		);
		try {
			const address = Buffer.alloc(12);
			address.writeUInt16LE(AF_NETLINK, 0);
			address.writeUInt32LE(1 << (NFNLGRP_NFTABLES - 1), 8);
			check(libc.bind(fd, address, address.length), "bind", "nftables group");
			// What does not fit is lost: a large ruleset that is put in place is thousands of messages at once.
			libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, new Int32Array([RECEIVE_BYTES]), 4);
		} catch (error) {
			closeDescriptor(fd);
			throw error;
		}
		const socket: SocketHandler = {
			data: (_socket, data) => this.#read(data),
			error: (_socket, error) => this.logger.debug("nftables monitor failed", { error: error.message }),
			close: () => this.#reopen(),
		};
		// Bun takes any descriptor over that can be polled and received from; its types do not say so.
		this.#socket = await Bun.connect({ fd, socket } as unknown as TCPSocketConnectOptions<undefined>);
	}

	[Symbol.dispose](): void {
		this.#closed = true;
		this.#socket?.terminate();
	}

	/** The kernel ends nothing by itself: this is an overrun (ENOBUFS). */
	#reopen(): void {
		if (this.#closed) return;
		this.#tables = new Set();
		this.open().then(
			() => this.onLoss(),
			(error: unknown) =>
				this.logger.warn("changes of the firewall are not noticed any more", { error: String(error) }),
		);
	}

	#read(datagram: Buffer): void {
		for (const message of decodeMessages(datagram)) this.#note(message);
	}

	#note({ type, payload }: NetlinkMessage): void {
		if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
		const attributes = decodeAttributes(payload, NFGENMSG_BYTES);
		if ((type & 0xff) !== NFT_MSG_NEWGEN) {
			const family = FAMILIES[payload[0] ?? 0] ?? "";
			this.#tables.add(`${family} ${attributeText(attributes.get(NFTA_TABLE)) ?? ""}`);
			return;
		}
		const pid = attributes.get(NFTA_GEN_PROC_PID);
		const tables = this.#tables;
		this.#tables = new Set();
		this.onChange({ tables, pid: pid === undefined ? 0 : pid.readUInt32BE() });
	}
}
