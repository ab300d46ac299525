/** Opens what the configuration says to listen on. */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import {
	errnoCode,
	errorMessage,
	InvalidParameterError,
	NotFoundError,
	SystemError,
	UnavailableError,
} from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { DaemonConfig, TlsConfig } from "./config.ts";

/** sun_path less its terminating NUL. */
const MAX_SOCKET_PATH_BYTES = 107;
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;
/** First descriptor a service manager passes (sd_listen_fds(3)). */
const FIRST_PASSED_DESCRIPTOR = 3;

export interface ListenersOptions {
	readonly config: Pick<DaemonConfig, "hosts" | "group" | "tls" | "allowInsecureTcp">;
	readonly environment: Readonly<Record<string, string | undefined>>;
	readonly logger: Logger;
	readonly onConnection: (socket: Socket) => void;
}

export class Listeners implements AsyncDisposable {
	readonly #servers: { readonly server: Server; readonly socketPath: string | undefined }[] = [];

	private constructor(private readonly options: ListenersOptions) {}

	/**
	 * What can be known to fail before anything of the machine is touched.
	 * @throws UnavailableError, InvalidParameterError, NotFoundError, SystemError
	 */
	static async check(config: ListenersOptions["config"]): Promise<void> {
		for (const host of config.hosts) {
			if (host.startsWith("unix://")) await checkSocketPath(host.slice("unix://".length));
			else if (host.startsWith("tcp://")) checkTcp(host, config);
		}
		socketGroup(config.group);
	}

	/** @throws UnavailableError, InvalidParameterError, SystemError; nothing is left open then */
	static async open(options: ListenersOptions): Promise<Listeners> {
		const listeners = new Listeners(options);
		try {
			for (const host of options.config.hosts) await listeners.#open(host);
			return listeners;
		} catch (error) {
			await listeners[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** Stops accepting and removes the sockets' files. Connections go on. */
	async [Symbol.asyncDispose](): Promise<void> {
		for (const { server, socketPath } of this.#servers.splice(0)) {
			// Its callback waits for every connection to end; those are the API server's to close.
			server.close();
			if (socketPath !== undefined) rmSync(socketPath, { force: true });
		}
	}

	async #open(host: string): Promise<void> {
		if (host.startsWith("unix://")) await this.#openUnix(host.slice("unix://".length));
		else if (host.startsWith("fd://")) await this.#openPassed();
		else await this.#openTcp(host);
		this.options.logger.info("listening", { host });
	}

	async #openUnix(path: string): Promise<void> {
		const groupId = socketGroup(this.options.config.group);
		mkdirSync(dirname(path), { recursive: true });
		if (await checkSocketPath(path)) rmSync(path, { force: true });
		const server = this.#plainServer();
		// Nobody gets in between bind and chmod.
		const oldMask = process.umask(0o177);
		try {
			await listen(server, { path }, `unix://${path}`);
		} finally {
			process.umask(oldMask);
		}
		this.#servers.push({ server, socketPath: path });
		chownSync(path, 0, groupId);
		chmodSync(path, 0o660);
	}

	async #openPassed(): Promise<void> {
		const { environment } = this.options;
		const count = environment["LISTEN_PID"] === String(process.pid) ? Number(environment["LISTEN_FDS"] ?? 0) : 0;
		if (!(count > 0)) throw new UnavailableError("no sockets were passed by the service manager (fd://)");
		for (let fd = FIRST_PASSED_DESCRIPTOR; fd < FIRST_PASSED_DESCRIPTOR + count; fd++) {
			const server = this.#plainServer();
			await listen(server, { fd }, `fd://${fd}`);
			this.#servers.push({ server, socketPath: undefined });
		}
	}

	async #openTcp(host: string): Promise<void> {
		const { tls } = this.options.config;
		const { hostname, port } = parseTcp(host, tls.enabled);
		checkTcp(host, this.options.config);
		if (!tls.verifyClient)
			this.options.logger.warn(
				"the API is served over TCP without client certificates: whoever reaches it is root here",
				{ host },
			);
		const server = tls.enabled ? this.#tlsServer(tls) : this.#plainServer();
		await listen(server, { host: hostname, port }, host);
		this.#servers.push({ server, socketPath: undefined });
	}

	#plainServer(): Server {
		return createServer({ allowHalfOpen: true }, this.options.onConnection);
	}

	#tlsServer(tls: TlsConfig): Server {
		const server = createTlsServer(
			{
				allowHalfOpen: true,
				cert: readCertificate(tls.certFile),
				key: readCertificate(tls.keyFile),
				minVersion: "TLSv1.2",
				...(tls.verifyClient ? { ca: readCertificate(tls.caFile), requestCert: true, rejectUnauthorized: true } : {}),
			},
			(socket: TLSSocket) => this.options.onConnection(socket),
		);
		server.on("tlsClientError", (error: Error) =>
			this.options.logger.debug("TLS handshake failed", { error: error.message }),
		);
		return server;
	}
}

/** @throws InvalidParameterError */
function checkTcp(host: string, { tls, allowInsecureTcp }: Pick<DaemonConfig, "tls" | "allowInsecureTcp">): void {
	if (!tls.verifyClient && !allowInsecureTcp)
		throw new InvalidParameterError(
			`${host}: TCP without client certificates gives root on this machine to whoever reaches the port. ` +
				"Use --tlsverify with --tlscacert, --tlscert and --tlskey, or say --allow-insecure-tcp if that is what you want",
		);
	if (!tls.enabled) return;
	for (const path of [tls.certFile, tls.keyFile, ...(tls.verifyClient ? [tls.caFile] : [])]) readCertificate(path);
}

function parseTcp(host: string, tls: boolean): { readonly hostname: string; readonly port: number } {
	const match = /^tcp:\/\/(.*):(\d*)$/.exec(host);
	const hostname = (match?.[1] ?? "").replace(/^\[(.*)\]$/, "$1");
	const port = match?.[2] === "" || match?.[2] === undefined ? (tls ? TLS_PORT : PLAIN_PORT) : Number(match[2]);
	return { hostname, port };
}

function readCertificate(path: string): Buffer {
	try {
		return readFileSync(path);
	} catch (cause) {
		throw new InvalidParameterError(`could not load TLS material: ${errorMessage(cause)}`, { cause });
	}
}

function listen(server: Server, where: object, name: string): Promise<void> {
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	server.once("error", (cause) =>
		reject(new SystemError(`failed to load listeners: cannot listen on ${name}: ${errorMessage(cause)}`, { cause })),
	);
	server.listen(where, () => resolve());
	return promise;
}

/**
 * @returns whether a socket is in the way that nobody answers on: a dead daemon's
 * @throws UnavailableError when somebody answers, InvalidParameterError, SystemError
 */
async function checkSocketPath(path: string): Promise<boolean> {
	if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
		throw new InvalidParameterError(`socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes: ${path}`);
	let isSocket: boolean;
	try {
		isSocket = lstatSync(path).isSocket();
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return false;
		throw new SystemError(`cannot use socket path ${path}: ${errorMessage(error)}`, { cause: error });
	}
	if (!isSocket) throw new InvalidParameterError(`${path} exists and is not a socket`);
	if (await answers(path)) throw new UnavailableError(`another daemon answers on ${path}`);
	return true;
}

function answers(path: string): Promise<boolean> {
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const socket = connect({ path });
	socket.once("connect", () => {
		socket.destroy();
		resolve(true);
	});
	socket.once("error", () => resolve(false));
	return promise;
}

/** Group ID of the socket; without `--group` the group `gantry`, where there is one, else root's. */
function socketGroup(group: string): number {
	if (/^\d+$/.test(group)) return Number(group);
	const name = group === "" ? "gantry" : group;
	const line = readFileSync("/etc/group", "utf8")
		.split("\n")
		.find((entry) => entry.startsWith(`${name}:`));
	const id = line?.split(":")[2];
	if (id !== undefined) return Number(id);
	if (group === "") return 0;
	throw new NotFoundError(`group ${group} not found`);
}
