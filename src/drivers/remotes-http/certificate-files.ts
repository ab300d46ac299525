/** TLS material of an endpoint: the machine's own authorities stay valid beside those of the directories. */
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { Endpoint } from "../../core/remotes/endpoint.ts";
import type { TlsSettings } from "./http-client.ts";

/** @throws SystemError for a file that cannot be read */
export function tlsSettings({ certificates, skipsVerification }: Endpoint): TlsSettings {
	const [client] = certificates.clients;
	const own = certificates.authorities.map(readText);
	return {
		skipsVerification,
		authorities: own.length === 0 ? [] : [...rootCertificates, ...systemAuthorities(), ...own],
		certificate: client === undefined ? undefined : readText(client.certificate),
		key: client === undefined ? undefined : readText(client.key ?? client.certificate),
	};
}

/** Given any authorities, the runtime trusts those only. */
function systemAuthorities(): string[] {
	try {
		return [readFileSync("/etc/ssl/certs/ca-certificates.crt", "utf8")];
	} catch {
		// Not every machine has the bundle, or there: the runtime's own list is enough then.
		return [];
	}
}

function readText(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch (cause) {
		throw new SystemError(`failed to read certificate ${path}: ${errorMessage(cause)}`, { cause });
	}
}
