/**
 * A netlink socket. It belongs to the network namespace it was made in for good, so work in another namespace needs no more
 * than opening the socket there (`openNetlinkIn` in namespaces.ts).
 * Requests are synchronous: the kernel answers within the send.
 */
import { SystemError } from "../../base/errors.ts";
import { O } from "./file-descriptors.ts";
import { check, errnoError, lastErrno, libc } from "./libc.ts";
import { decodeMessages, encodeMessage, type NetlinkMessage, type NetlinkPayload } from "./netlink-message.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;

/** Flags of requests that make something. */
export const NLM_F = { REPLACE: 0x100, EXCL: 0x200, CREATE: 0x400, APPEND: 0x800 } as const;

const EINTR = 4;
const RECEIVE_TIMEOUT_S = 10n;
const RECEIVE_BYTES = 1 << 16;
const DUMP_ATTEMPTS = 10;

export interface NetlinkRequest {
	readonly type: number;
	readonly flags?: number;
	readonly payload: NetlinkPayload;
	/** What is done, for the error: `link add eth0`. */
	readonly purpose: string;
}

export class NetlinkSocket implements Disposable {
	readonly #fd: number;
	readonly #buffer = Buffer.alloc(RECEIVE_BYTES);
	#sequence = 0;
	#closed = false;

	/** Opens the socket in the current network namespace. @throws ErrnoError */
	constructor(protocol: number = NETLINK_ROUTE) {
		this.#fd = check(libc.socket(AF_NETLINK, SOCK_RAW | O.CLOEXEC, protocol), "socket", "netlink");
		// A kernel that never answers must not hang the daemon.
		libc.setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, new BigInt64Array([RECEIVE_TIMEOUT_S, 0n]), 16);
		libc.setsockopt(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, new Int32Array([1]), 4);
		libc.setsockopt(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, new Int32Array([1]), 4);
	}

	/** One request that answers with an acknowledgement. @throws ErrnoError */
	request(request: NetlinkRequest): void {
		this.requestAll([request]);
	}

	/** Several in one system call. The kernel goes on after a failed one; the first failure is thrown. @throws ErrnoError */
	requestAll(requests: readonly NetlinkRequest[]): void {
		const first = this.#sequence + 1;
		this.#send(this.#encodeAll(requests, NLM_F_ACK), requests[0]?.purpose ?? "");
		this.#receiveAcknowledgements(first, requests);
	}

	/**
	 * Several as one transaction of nfnetlink: all of them or none, the first failure is thrown.
	 * @param envelope what such a transaction begins and ends with; the kernel does not acknowledge these
	 * @throws ErrnoError
	 */
	requestTransaction(envelope: readonly [NetlinkRequest, NetlinkRequest], requests: readonly NetlinkRequest[]): void {
		const [begin, end] = envelope;
		const opening = this.#encodeAll([begin], 0);
		const first = this.#sequence + 1;
		const inner = this.#encodeAll(requests, NLM_F_ACK);
		this.#send(Buffer.concat([opening, inner, this.#encodeAll([end], 0)]), begin.purpose);
		this.#receiveAcknowledgements(first, requests);
	}

	#encodeAll(requests: readonly NetlinkRequest[], extraFlags: number): Buffer {
		return Buffer.concat(
			requests.map(({ type, flags = 0, payload }) =>
				encodeMessage(type, NLM_F_REQUEST | extraFlags | flags, ++this.#sequence, payload.encode()),
			),
		);
	}

	#receiveAcknowledgements(first: number, requests: readonly NetlinkRequest[]): void {
		let failure: Error | undefined;
		for (let answered = 0; answered < requests.length; )
			for (const message of this.#receive()) {
				if (message.type !== NLMSG_ERROR) continue;
				const errno = -message.payload.readInt32LE(0);
				// A transaction that is refused as a whole is answered in the name of its beginning.
				if (message.sequence === first - 1 && errno !== 0) throw errnoError(errno, "netlink", requests[0]?.purpose);
				if (message.sequence < first) continue;
				answered++;
				if (errno !== 0) failure ??= errnoError(errno, "netlink", requests[message.sequence - first]?.purpose);
			}
		if (failure !== undefined) throw failure;
	}

	/** A request that answers with one message. @throws ErrnoError ENODEV, ENOENT */
	get(request: NetlinkRequest): NetlinkMessage {
		const sequence = ++this.#sequence;
		this.#send(encodeMessage(request.type, NLM_F_REQUEST, sequence, request.payload.encode()), request.purpose);
		for (;;)
			for (const message of this.#receive()) {
				if (message.sequence !== sequence) continue;
				if (message.type === NLMSG_ERROR) throw errnoError(-message.payload.readInt32LE(0), "netlink", request.purpose);
				// Copied: the receive buffer is used again.
				return { ...message, payload: Buffer.from(message.payload) };
			}
	}

	/** All objects of a kind, taken again when something changed meanwhile. @throws ErrnoError */
	dump(request: NetlinkRequest): NetlinkMessage[] {
		for (let attempt = 1; ; attempt++) {
			const { messages, interrupted } = this.#dumpOnce(request);
			if (!interrupted || attempt === DUMP_ATTEMPTS) return messages;
		}
	}

	close(): void {
		if (!this.#closed) libc.close(this.#fd);
		this.#closed = true;
	}

	[Symbol.dispose](): void {
		this.close();
	}

	#dumpOnce(request: NetlinkRequest): { messages: NetlinkMessage[]; interrupted: boolean } {
		const sequence = ++this.#sequence;
		const encoded = encodeMessage(request.type, NLM_F_REQUEST | NLM_F_DUMP, sequence, request.payload.encode());
		this.#send(encoded, request.purpose);
		const messages: NetlinkMessage[] = [];
		let interrupted = false;
		for (;;)
			for (const message of this.#receive()) {
				if (message.sequence !== sequence) continue;
				if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
				if (message.type === NLMSG_DONE) return { messages, interrupted };
				if (message.type === NLMSG_ERROR) throw errnoError(-message.payload.readInt32LE(0), "netlink", request.purpose);
				messages.push({ ...message, payload: Buffer.from(message.payload) });
			}
	}

	#send(data: Buffer, purpose: string): void {
		if (this.#closed) throw errnoError(9, "netlink", purpose);
		check(libc.send(this.#fd, data, data.length, 0), "netlink send", purpose);
	}

	#receive(): NetlinkMessage[] {
		let length = Number(libc.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_TRUNC));
		// A socket with a time limit is not taken up again after a signal.
		while (length < 0 && lastErrno() === EINTR)
			length = Number(libc.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_TRUNC));
		check(length, "netlink receive");
		if (length > this.#buffer.length) throw new SystemError(`netlink answer of ${length} bytes is too long`);
		return decodeMessages(this.#buffer.subarray(0, length));
	}
}
