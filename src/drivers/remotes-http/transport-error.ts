/** What goes wrong between two machines, in words that clients of Go programs know. */
import { CancelledError, errnoCode, errorMessage } from "../../base/errors.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";

export class StallError extends Error {
	constructor() {
		super("the registry does not send any more");
	}
}

export class AnswerTimeout extends Error {
	constructor() {
		super(
			"net/http: request canceled while waiting for connection or answer (timeout exceeded while awaiting headers)",
		);
	}
}

const UNREACHABLE: ReadonlySet<string> = new Set([
	"ConnectionRefused",
	"ECONNREFUSED",
	"FailedToOpenSocket",
	"ENOTFOUND",
	"EHOSTUNREACH",
	"ENETUNREACH",
]);
/** The other end does not speak TLS at all: asking again makes no difference. */
const NO_TLS = /^(?:EPROTO|ERR_SSL_WRONG_VERSION_NUMBER)$/;
const CERTIFICATE_ERRORS = /CERT|UNABLE_TO|SELF_SIGNED|ALTNAME|DEPTH_ZERO/;

const CONNECT_FAILURES: Readonly<Record<string, string>> = {
	ConnectionRefused: "connection refused",
	ECONNREFUSED: "connection refused",
	EHOSTUNREACH: "no route to host",
	ENETUNREACH: "network is unreachable",
	ETIMEDOUT: "i/o timeout",
};

/** In Go's words where clients know them. */
export function transportError({ method, url }: { readonly method: string; readonly url: URL }, cause: unknown): Error {
	if (cause instanceof CancelledError) return new CancelledError("Operation cancelled", { cause });
	const code = errnoCode(cause) ?? "";
	const isCertificate = CERTIFICATE_ERRORS.test(code);
	const verb = `${method[0]}${method.slice(1).toLowerCase()}`;
	const message = `${verb} "${withoutSecrets(url)}": ${reasonOf(code, cause, url)}`;
	const isUnreachable = UNREACHABLE.has(code);
	const isTransient = !isCertificate && !NO_TLS.test(code);
	return new RemoteError(message, { status: 0, isTransient, isUnreachable }, { cause });
}

function reasonOf(code: string, cause: unknown, url: URL): string {
	if (cause instanceof StallError || cause instanceof AnswerTimeout) return cause.message;
	if (CERTIFICATE_ERRORS.test(code)) return `tls: failed to verify certificate: x509: ${errorMessage(cause)}`;
	if (NO_TLS.test(code)) return "http: server gave HTTP response to HTTPS client";
	const unreachable = CONNECT_FAILURES[code];
	if (unreachable !== undefined)
		return `dial tcp ${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}: connect: ${unreachable}`;
	if (code === "FailedToOpenSocket" || code === "ENOTFOUND") return `dial tcp: lookup ${url.hostname}: no such host`;
	if (code === "ConnectionClosed" || code === "ECONNRESET" || code === "EPIPE") return "unexpected EOF";
	return code === "" ? errorMessage(cause) : `${code}: ${errorMessage(cause)}`;
}

/** Signed addresses of blob stores are as good as passwords. */
export function withoutSecrets(url: URL): string {
	return `${url.origin}${url.pathname}`;
}
