import { join } from "node:path";
import { InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { LAYOUT_VERSION, pathFor } from "../../core/registry/paths.ts";
import type { RegistryStorage } from "../../core/registry/storage.ts";
import { FsRegistryStorage } from "../../drivers/registry-storage-fs/fs-registry-storage.ts";
import type { Registry } from "../../registry/registry.ts";
import { startServer } from "../../registry/server.ts";
import { ExclusiveFile } from "../exclusive-file.ts";
import { LogSink } from "../log-sink.ts";
import type { RegistryConfig } from "./config.ts";
import { wireRegistry } from "./wire.ts";

const STDERR = 2;
/** For running requests at the end. */
const CLOSE_WAIT_MS = 10_000;

/** Serves until told to end. */
export async function serve(config: RegistryConfig): Promise<number> {
	const sink = new LogSink(STDERR, config.logLevel, config.logFormat);
	const logger = sink.logger;
	await using resources = new AsyncDisposableStack();
	resources.defer(() => sink.close());
	const root = config.required("root");
	resources.use(lockRoot(root));
	const storage = await openStorage(root);
	resources.defer(() => storage.close());
	const registry = await wireRegistry(config, storage, logger);
	await cleanUploads(registry, config.durationMs("upload-expiry"), logger);
	const server = startServer(registry, { ...config.address, ...tlsOf(config) });
	resources.defer(() => server.close(CLOSE_WAIT_MS));
	logger.info("registry is serving", { address: server.address, root });
	const signal = await endSignal();
	logger.info("registry is ending", { signal });
	return 0;
}

export async function collectNow(config: RegistryConfig): Promise<number> {
	config.required("root");
	return 0;
}

function lockRoot(root: string): ExclusiveFile {
	return ExclusiveFile.take(join(root, "lock"), {
		heldMessage: (holder) => `${root} is served by another process (${holder})`,
		removeOnClose: false,
	});
}

async function openStorage(root: string): Promise<RegistryStorage> {
	const storage = new FsRegistryStorage(root);
	await storage.cleanUp();
	await checkVersion(storage);
	return storage;
}

/** @throws InvalidParameterError when another version's files are there */
async function checkVersion(storage: RegistryStorage): Promise<void> {
	const path = pathFor({ kind: "version" });
	try {
		const found = Buffer.from(await storage.read(path, 100))
			.toString()
			.trim();
		if (found !== LAYOUT_VERSION)
			throw new InvalidParameterError(`the root has layout ${found}, this program knows ${LAYOUT_VERSION}`);
	} catch (error) {
		if (!(error instanceof NotFoundError)) throw error;
		await storage.write(path, Buffer.from(LAYOUT_VERSION));
	}
}

async function cleanUploads(registry: Registry, expiryMs: number, logger: Logger): Promise<void> {
	const removed = await registry.uploads.cleanUp(registry.clock.now() - expiryMs);
	if (removed > 0) logger.info("removed stale uploads", { uploads: removed });
}

function tlsOf(config: RegistryConfig) {
	const cert = config.text("tls-cert");
	const key = config.text("tls-key");
	const clientCa = config.text("tls-client-ca");
	if ((cert === undefined) !== (key === undefined))
		throw new InvalidParameterError("--tls-cert and --tls-key go together");
	if (cert === undefined || key === undefined) {
		if (clientCa !== undefined) throw new InvalidParameterError("--tls-client-ca needs --tls-cert and --tls-key");
		return {};
	}
	const file = (path: string) => Bun.file(path);
	return { tls: { cert: file(cert), key: file(key), ...(clientCa === undefined ? {} : { clientCa: file(clientCa) }) } };
}

/** The first of the signals that end the process. */
function endSignal(): Promise<string> {
	return new Promise((resolve) => {
		for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
	});
}
