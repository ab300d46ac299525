/** The daemon's life: locks, engine, listeners, signals, orderly end. */
import { mkdirSync, realpathSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import { ErrnoError, errorMessage, UnavailableError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { notifyServiceManager } from "../drivers/linux/service-notification.ts";
import { ApiServer } from "../server/api-server.ts";
import { engineRoutes } from "../server/routes.ts";
import { type DaemonConfig, type Environment, loadConfig } from "./config.ts";
import { ExclusiveFile } from "./exclusive-file.ts";
import { Listeners } from "./listeners.ts";
import { LogSink } from "./log-sink.ts";
import { MemoryTrim } from "./memory-trim.ts";
import type { OptionValues } from "./option-parser.ts";
import { VERSION } from "./version.ts";
import { type Engine, wireEngine } from "./wire.ts";

export interface DaemonInput {
	readonly config: DaemonConfig;
	/** To read the configuration again at a reload. */
	readonly flags: OptionValues;
	readonly environment: Environment;
}

const STDERR = 2;
/** The third request to stop is not patient any more. */
const IMPATIENT_SIGNALS = 3;

/** Resident size above which compiled code is let go of in a quiet moment: a fresh daemon has 70 to 75 MB. */
const SHRINK_ABOVE_BYTES = 85_000_000;

function shrinkWhenLarge(): boolean {
	const isLarge = process.memoryUsage.rss() > SHRINK_ABOVE_BYTES;
	if (isLarge) Bun.shrink();
	return isLarge;
}

/** Resolves with the exit code when the daemon has been told to stop and has stopped. */
export async function runLifecycle(input: DaemonInput): Promise<number> {
	const { config, environment } = input;
	const startedAt = performance.now();
	const sink = new LogSink(STDERR, config.logLevel, config.logFormat);
	const { logger } = sink;
	guardProcess(logger);
	try {
		await using stack = new AsyncDisposableStack();
		if (process.getuid?.() !== 0) throw new UnavailableError("the daemon must run as root");
		for (const option of config.idleOptions) logger.warn("option has no effect yet", { option });
		const roots = lockRoots(config, stack);
		await Listeners.check(config);
		const settled: DaemonConfig = { ...config, ...roots };
		const engine = stack.use(await wireEngine(settled, environment, logger));
		await engine.start();
		const trim = stack.use(
			new MemoryTrim(systemClock, {
				collect() {
					Bun.gc(true);
					engine.releaseMemory();
				},
				shrink: shrinkWhenLarge,
			}),
		);
		trim.touch();
		const server = openServer(settled, engine, { logger, onServed: () => trim.touch() });
		stack.defer(() => server.close(graceMs(settled)));
		const listeners = await Listeners.open({
			config: settled,
			environment,
			logger,
			onConnection: (socket) => server.serve(socket),
		});
		stack.use(listeners);
		const end = stopSignal(logger);
		stack.defer(onReload(input, engine, sink));
		notify(environment, "READY=1", logger);
		logger.info("daemon is ready", {
			version: VERSION,
			dataRoot: settled.dataRoot,
			startedInMs: Math.round(performance.now() - startedAt),
		});
		const warmUp = systemClock.after(0, () => warmUpEngine(engine, logger));
		stack.defer(() => warmUp.cancel());
		const signal = await end;
		notify(environment, "STOPPING=1", logger);
		logger.info("daemon is stopping", { signal });
		await stack.disposeAsync();
		logger.info("daemon has stopped");
		return 0;
	} catch (error) {
		logger.error("daemon failed", { error: errorMessage(error), cause: causeOf(error) });
		return 1;
	} finally {
		await sink.close();
	}
}

/** Whoever starts a container meets the same error, with an answer. */
function warmUpEngine(engine: Engine, logger: Logger): void {
	try {
		engine.warmUp();
	} catch (error) {
		logger.warn("containers will not start as configured", { error: errorMessage(error) });
	}
}

function causeOf(error: unknown): string | undefined {
	if (!(error instanceof Error)) return undefined;
	return error.cause === undefined ? undefined : errorMessage(error.cause);
}

/** One daemon for each root and each pid file. Mounts are found again by their paths, so these have no symlinks from here on. */
function lockRoots(config: DaemonConfig, stack: AsyncDisposableStack): Pick<DaemonConfig, "dataRoot" | "execRoot"> {
	stack.use(
		ExclusiveFile.take(config.pidFile, {
			heldMessage: (holder) =>
				`failed to start daemon: pid file ${config.pidFile} belongs to process ${holder}, which is still running`,
			removeOnClose: true,
		}),
	);
	// Layers hold other people's set-uid programs: only root goes in there.
	mkdirSync(config.dataRoot, { recursive: true, mode: 0o710 });
	mkdirSync(config.execRoot, { recursive: true, mode: 0o711 });
	const dataRoot = realpathSync(config.dataRoot);
	const execRoot = realpathSync(config.execRoot);
	for (const [name, root] of [
		["data", dataRoot],
		["exec", execRoot],
	] as const)
		stack.use(
			ExclusiveFile.take(`${root}/gantryd.lock`, {
				heldMessage: (holder) => `failed to start daemon: process ${holder} uses the ${name} root ${root}`,
				// The lock is the file's, not the name's: removing it would let two daemons lock two files of one name.
				removeOnClose: false,
			}),
		);
	return { dataRoot, execRoot };
}

function openServer(
	config: DaemonConfig,
	engine: Engine,
	hooks: { readonly logger: Logger; readonly onServed: () => void },
): ApiServer {
	return new ApiServer({
		routes: engineRoutes(engine.backends, hooks.logger),
		logger: hooks.logger.child({ part: "api" }),
		onServed: hooks.onServed,
		serverHeader: `Docker/${VERSION} (linux)`,
		minApiVersion: config.minApiVersion,
		headers: { "Docker-Experimental": String(config.experimental) },
	});
}

/** -1: for as long as it takes. */
function graceMs(config: DaemonConfig): number {
	return config.shutdownTimeoutSeconds < 0 ? 2 ** 31 - 1 : config.shutdownTimeoutSeconds * 1000;
}

function stopSignal(logger: Logger): Promise<NodeJS.Signals> {
	const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
	let received = 0;
	const onSignal = (signal: NodeJS.Signals) => {
		received++;
		if (received >= IMPATIENT_SIGNALS) {
			logger.warn("forced to stop at once", { signal });
			process.exit(1);
		}
		resolve(signal);
	};
	process.on("SIGTERM", onSignal);
	process.on("SIGINT", onSignal);
	return promise;
}

/** SIGHUP reads the configuration again. @returns how to stop listening for it */
function onReload({ flags, environment }: DaemonInput, engine: Engine, sink: LogSink): () => void {
	const { logger } = sink;
	const reload = () => {
		try {
			const config = loadConfig(flags, environment);
			sink.setLevel(config.logLevel);
			engine.reload(config);
			logger.info("configuration was reloaded");
		} catch (error) {
			// The old configuration goes on.
			logger.error("configuration cannot be reloaded", { error: errorMessage(error) });
		}
	};
	process.on("SIGHUP", reload);
	return () => {
		process.off("SIGHUP", reload);
	};
}

/**
 * A bug in one request or loop is logged and the daemon goes on: what is lost is that request, and a daemon that ended would take
 * every client's connection with it. Records are on disk before they count, so no later request builds on a half-made one.
 */
function guardProcess(logger: Logger): void {
	const report = (kind: string) => (error: unknown) =>
		logger.error(kind, { error: errorMessage(error), stack: error instanceof Error ? error.stack : undefined });
	process.on("uncaughtException", report("uncaught exception"));
	process.on("unhandledRejection", report("unhandled rejection"));
	process.on("SIGPIPE", () => {});
}

function notify(environment: Environment, state: string, logger: Logger): void {
	const socketPath = environment["NOTIFY_SOCKET"] ?? "";
	if (socketPath === "") return;
	try {
		notifyServiceManager(socketPath, state);
	} catch (error) {
		if (!(error instanceof ErrnoError)) throw error;
		logger.warn("service manager could not be told", { state, error: error.message });
	}
}
