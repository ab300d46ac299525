/** Bare sockets of the host, held to keep a port (include/uapi/linux/in.h, in6.h). Their users get descriptors. */
import { ipToBytes, parseIp } from "../../core/network/ip-address.ts";
import { closeDescriptor, O } from "./file-descriptors.ts";
import { check, libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK = { tcp: 1, udp: 2 } as const;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 4096;

export interface BoundSocket {
	readonly fd: number;
	/** What the kernel chose when 0 was asked for. */
	readonly port: number;
}

/**
 * A TCP socket that listens or a UDP socket that is bound, non-blocking and close-on-exec. IPv6 sockets take no IPv4.
 * @param port 0 lets the kernel choose
 * @throws ErrnoError EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT
 */
export function bindSocket(protocol: "tcp" | "udp", address: string, port: number): BoundSocket {
	const isV6 = parseIp(address).family === 6;
	const purpose = `${isV6 ? `[${address}]` : address}:${port}/${protocol}`;
	const type = SOCK[protocol] | O.CLOEXEC | O.NONBLOCK;
	const fd = check(libc.socket(isV6 ? AF_INET6 : AF_INET, type, 0), "socket", purpose);
	try {
		if (isV6) setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY);
		// Over connections in TIME_WAIT, as every server does; a UDP port would be shared by that.
		if (protocol === "tcp") setFlag(fd, SOL_SOCKET, SO_REUSEADDR);
		const socketAddress = encodeSocketAddress(address, port);
		check(libc.bind(fd, socketAddress, socketAddress.length), "bind", purpose);
		if (protocol === "tcp") check(libc.listen(fd, BACKLOG), "listen", purpose);
		return { fd, port: port === 0 ? boundPort(fd) : port };
	} catch (error) {
		closeDescriptor(fd);
		throw error;
	}
}

function setFlag(fd: number, level: number, option: number): void {
	check(libc.setsockopt(fd, level, option, new Int32Array([1]), 4), "setsockopt");
}

function boundPort(fd: number): number {
	const address = Buffer.alloc(28);
	check(libc.getsockname(fd, address, new Uint32Array([address.length])), "getsockname");
	return address.readUInt16BE(2);
}

/** struct sockaddr_in or sockaddr_in6. */
function encodeSocketAddress(address: string, port: number): Buffer {
	const bytes = ipToBytes(parseIp(address));
	const isV6 = bytes.length === 16;
	const encoded = Buffer.alloc(isV6 ? 28 : 16);
	encoded.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0);
	encoded.writeUInt16BE(port, 2);
	encoded.set(bytes, isV6 ? 8 : 4);
	return encoded;
}
