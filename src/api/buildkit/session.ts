/** What a client's session may offer to the daemon: files, logins, secrets, agents, outputs. Field numbers are BuildKit's and fsutil's. */
import { bigInteger, bytes, bytesMap, integer, message, nested, text, whole32 } from "./message.ts";

/** Methods as paths of gRPC. */
export const SESSION_METHODS = {
	/** Files of a directory of the client's: packets both ways. */
	fileSync: "/moby.filesync.v1.FileSync/DiffCopy",
	/** Takes an archive (bytes), or files (packets). */
	fileSend: "/moby.filesync.v1.FileSend/DiffCopy",
	credentials: "/moby.filesync.v1.Auth/Credentials",
	secret: "/moby.buildkit.secrets.v1.Secrets/GetSecret",
	checkAgent: "/moby.sshforward.v1.SSH/CheckAgent",
	forwardAgent: "/moby.sshforward.v1.SSH/ForwardAgent",
	/** Gives an archive that the client reads from its standard input. */
	upload: "/moby.upload.v1.Upload/Pull",
} as const;

export const PACKET_TYPES = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;

/** A file; `mode` is Go's `fs.FileMode`, not the kernel's. */
export const FILE_STAT = message({
	path: text(1),
	mode: whole32(2),
	uid: whole32(3),
	gid: whole32(4),
	size: integer(5),
	/** Nanoseconds since the epoch. */
	modifiedNs: bigInteger(6),
	/** Of a symlink its target; of a file the path of an earlier one that is the same. */
	linkName: text(7),
	deviceMajor: integer(8),
	deviceMinor: integer(9),
	xattrs: bytesMap(10),
});

/** Stats without one end the listing, data without bytes ends a file. */
export const PACKET = message({ type: whole32(1), stat: nested(2, FILE_STAT), id: whole32(3), data: bytes(4) });

export const CREDENTIALS_REQUEST = message({ host: text(1) });
export const CREDENTIALS_RESPONSE = message({ username: text(1), secret: text(2) });

export const SECRET_REQUEST = message({ id: text(1) });
export const SECRET_RESPONSE = message({ data: bytes(1) });

export const CHECK_AGENT_REQUEST = message({ id: text(1) });
