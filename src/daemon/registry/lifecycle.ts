import { existsSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { InvalidParameterError, NotFoundError, UnavailableError } from "../../base/errors.ts";
import { type Logger, silentLogger } from "../../base/logger.ts";
import { LAYOUT_VERSION, pathFor } from "../../core/registry/paths.ts";
import type { RegistryStorage } from "../../core/registry/storage.ts";
import { FsRegistryStorage } from "../../drivers/registry-storage-fs/fs-registry-storage.ts";
import type { S3Place } from "../../drivers/registry-storage-s3/s3-client.ts";
import { S3RegistryStorage } from "../../drivers/registry-storage-s3/s3-registry-storage.ts";
import { CollectionLoop } from "../../registry/collection-loop.ts";
import { type CollectionOptions, collectGarbage } from "../../registry/garbage-collector.ts";
import type { Registry } from "../../registry/registry.ts";
import { startServer } from "../../registry/server.ts";
import { ExclusiveFile } from "../exclusive-file.ts";
import { LogSink } from "../log-sink.ts";
import type { RegistryConfig } from "./config.ts";
import { wireRegistry } from "./wire.ts";

const STDOUT = 1;
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
	const storage = await openStorage(config, root);
	resources.defer(() => storage.close());
	const { registry, cache } = await wireRegistry(config, storage, logger, resources);
	const uploadExpiryMs = config.durationMs("upload-expiry");
	await cleanUploads(registry, uploadExpiryMs, logger);
	const schedule = { ...collectionOptions(config), intervalMs: config.durationMs("gc-interval"), uploadExpiryMs };
	const expire = cache === undefined ? {} : { expire: () => cache.expire() };
	const loop = resources.use(new CollectionLoop(registry, { ...schedule, ...expire }));
	const collect = () => void loop.collect();
	process.on("SIGUSR1", collect);
	resources.defer(() => void process.off("SIGUSR1", collect));
	const server = startServer(registry, { ...config.address, ...tlsOf(config) });
	resources.defer(() => server.close(CLOSE_WAIT_MS));
	logger.info("registry is serving", { address: server.address, root });
	const signal = await endSignal();
	logger.info("registry is ending", { signal });
	return 0;
}

/** Collects garbage: in the process that serves the root, else here. */
export async function collectNow(config: RegistryConfig): Promise<number> {
	const root = config.required("root");
	if (config.text("s3-endpoint") === undefined && !existsSync(join(root, pathFor({ kind: "version" }))))
		throw new NotFoundError(`there is no registry in ${root}`);
	await using resources = new AsyncDisposableStack();
	try {
		resources.use(lockRoot(root));
	} catch (error) {
		if (!(error instanceof UnavailableError)) throw error;
		const pid = Number(readFileSync(join(root, "lock"), "utf8"));
		if (config.isFlagGiven("gc-grace") || config.isFlagGiven("gc-untagged"))
			writeSync(STDERR, "the server goes by its own --gc-grace and --gc-untagged, not by those given here\n");
		process.kill(pid, "SIGUSR1");
		writeSync(STDOUT, `asked the server of ${root} (process ${pid}); its log has the result\n`);
		return 0;
	}
	const storage = await openStorage(config, root);
	resources.defer(() => storage.close());
	const { registry } = await wireRegistry(config, storage, silentLogger, resources);
	const done = await collectGarbage(registry, collectionOptions(config));
	const { blobs, sizeBytes, links, manifests } = done;
	writeSync(STDOUT, `removed ${blobs} blobs (${sizeBytes} bytes), ${links} links, ${manifests} manifests\n`);
	return 0;
}

function collectionOptions(config: RegistryConfig): CollectionOptions {
	return { graceMs: config.durationMs("gc-grace"), collectsUntagged: config.flag("gc-untagged") };
}

function lockRoot(root: string): ExclusiveFile {
	return ExclusiveFile.take(join(root, "lock"), {
		heldMessage: (holder) => `${root} is served by another process (${holder})`,
		removeOnClose: false,
	});
}

async function openStorage(config: RegistryConfig, root: string): Promise<RegistryStorage> {
	const files = new FsRegistryStorage(root);
	await files.cleanUp();
	const place = s3Place(config);
	const storage = place === undefined ? files : await openBucket(place, files);
	await checkVersion(storage);
	return storage;
}

async function openBucket(place: S3Place, spool: RegistryStorage): Promise<RegistryStorage> {
	const storage = new S3RegistryStorage(place, spool, { relieveMemory: () => Bun.gc(true) });
	await storage.cleanUp();
	return storage;
}

function s3Place(config: RegistryConfig): S3Place | undefined {
	const endpoint = config.text("s3-endpoint");
	if (endpoint === undefined) return undefined;
	const path = config.required("s3-credentials");
	const [accessKeyId = "", secretAccessKey = "", sessionToken = ""] = readFileSync(path, "utf8")
		.split("\n")
		.map((line) => line.trim());
	if (accessKeyId === "" || secretAccessKey === "")
		throw new InvalidParameterError(`${path}: want two lines, key ID and secret, and perhaps a third, a session token`);
	const prefix = (config.text("s3-prefix") ?? "").replace(/^\/+|\/+$/g, "");
	return {
		endpoint,
		bucket: config.required("s3-bucket"),
		region: config.required("s3-region"),
		prefix: prefix === "" ? "" : `${prefix}/`,
		accessKeyId,
		secretAccessKey,
		...(sessionToken === "" ? {} : { sessionToken }),
		isVirtualHost: config.flag("s3-virtual-host"),
		redirects: config.flag("s3-redirect"),
	};
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
