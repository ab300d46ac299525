/** Telling a service manager how the daemon is doing: one datagram to the socket it named (sd_notify(3)). */
import { closeDescriptor, O } from "./file-descriptors.ts";
import { check, libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_NOSIGNAL = 0x4000;

/**
 * @param socketPath value of `NOTIFY_SOCKET`; `@` at its start stands for the abstract name space
 * @param state lines such as `READY=1`
 * @throws ErrnoError when nobody listens there
 */
export function notifyServiceManager(socketPath: string, state: string): void {
	const name = Buffer.from(socketPath);
	if (socketPath.startsWith("@")) name[0] = 0;
	const address = Buffer.alloc(2 + name.length + (socketPath.startsWith("@") ? 0 : 1));
	address.writeUInt16LE(AF_UNIX, 0);
	name.copy(address, 2);
	const fd = check(libc.socket(AF_UNIX, SOCK_DGRAM | O.CLOEXEC, 0), "socket");
	try {
		check(libc.connect(fd, address, address.length), "connect", socketPath);
		const message = Buffer.from(state);
		check(libc.send(fd, message, message.length, MSG_NOSIGNAL), "send", socketPath);
	} finally {
		closeDescriptor(fd);
	}
}
