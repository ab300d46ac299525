import type { BunFile } from "bun";
import { errorMessage, SystemError } from "../base/errors.ts";
import { handleRequest } from "./handle-request.ts";
import { errorResponse } from "./oci-errors.ts";
import type { Registry } from "./registry.ts";

/** Seconds without a byte after which a connection is closed. */
const IDLE_SECONDS = 240;

export interface Endpoint {
	readonly hostname: string;
	readonly port: number;
	readonly tls?: {
		readonly cert: BunFile;
		readonly key: BunFile;
		/** Certificates whose holders may connect at all. */
		readonly clientCa?: BunFile;
	};
}

export interface RegistryServer {
	/** As bound, with the port that port 0 became. */
	readonly address: string;
	/** Takes no more connections, waits for running requests up to the limit, then ends them. */
	close(waitMs: number): Promise<void>;
}

/** @throws SystemError when the address cannot be bound */
export function startServer(registry: Registry, endpoint: Endpoint): RegistryServer {
	const { hostname, port, tls } = endpoint;
	try {
		const server = Bun.serve({
			hostname,
			port,
			idleTimeout: IDLE_SECONDS,
			// Blobs have no limit but the disk's.
			maxRequestBodySize: Number.MAX_SAFE_INTEGER,
			...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
			fetch: (request, self) => handleRequest(registry, request, self.requestIP(request)?.address ?? ""),
			error(error) {
				registry.logger.error("request broke", { error: errorMessage(error) });
				return errorResponse(error);
			},
		});
		const host = hostname.includes(":") ? `[${hostname}]` : hostname;
		return { address: `${host}:${server.port}`, close: (waitMs) => closeServer(server, waitMs) };
	} catch (cause) {
		throw new SystemError(`cannot listen on ${hostname}:${port}: ${errorMessage(cause)}`, { cause });
	}
}

function tlsOptions(tls: NonNullable<Endpoint["tls"]>) {
	const { cert, key, clientCa } = tls;
	return {
		cert,
		key,
		...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
	};
}

async function closeServer(server: Bun.Server<undefined>, waitMs: number): Promise<void> {
	const orderly = server.stop(false);
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, waitMs);
	});
	await Promise.race([orderly, late]);
	clearTimeout(timer);
	await server.stop(true);
}
