/**
 * Names of the errno values of Linux (include/uapi/asm-generic/errno-base.h and errno.h; the same on x86-64 and arm64).
 * Index is the number; "" where the kernel leaves a gap.
 */
const NAMES = (
	"- EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV " +
	"ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK " +
	"ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT " +
	"EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT " +
	"ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ " +
	"ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP " +
	"EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN " +
	"ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM " +
	"ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD " +
	"ENOTRECOVERABLE ERFKILL EHWPOISON"
).split(" ");

/** `ENOENT` for 2; `E<number>` for a number without a name. */
export function errnoName(errno: number): string {
	const name = NAMES[errno];
	return name === undefined || name === "-" ? `E${errno}` : name;
}

/** What strerror(3) says, for messages that must read like those of other tools. */
export function errnoText(code: string): string {
	return TEXTS[code] ?? code;
}

const TEXTS: Readonly<Record<string, string>> = {
	EPERM: "operation not permitted",
	ENOENT: "no such file or directory",
	EIO: "input/output error",
	EACCES: "permission denied",
	EBUSY: "device or resource busy",
	EEXIST: "file exists",
	EXDEV: "invalid cross-device link",
	ENODEV: "no such device",
	ENOTDIR: "not a directory",
	EISDIR: "is a directory",
	EINVAL: "invalid argument",
	EMFILE: "too many open files",
	ENFILE: "too many open files in system",
	EFBIG: "file too large",
	ENOSPC: "no space left on device",
	EROFS: "read-only file system",
	EMLINK: "too many links",
	ENAMETOOLONG: "file name too long",
	ENOSYS: "function not implemented",
	ENOTEMPTY: "directory not empty",
	ELOOP: "too many levels of symbolic links",
	ENODATA: "no data available",
	EOVERFLOW: "value too large for defined data type",
	EPROTONOSUPPORT: "protocol not supported",
	EOPNOTSUPP: "operation not supported",
	EAFNOSUPPORT: "address family not supported by protocol",
	EADDRINUSE: "address already in use",
	EADDRNOTAVAIL: "cannot assign requested address",
	ENETUNREACH: "network is unreachable",
	EDQUOT: "disk quota exceeded",
};
