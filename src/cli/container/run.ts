import type { ContainerCreateRequest, ContainerWaitResponse } from "../../api/engine/container.ts";
import {
	attachContainer,
	killContainer,
	resizeContainer,
	startContainer,
	waitContainer,
} from "../../client/containers.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import type { SocketChannel } from "../../client/socket-channel.ts";
import type { Command, ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { ExitError } from "../usage-error.ts";
import { createFromOptions } from "./create-container.ts";
import { CREATE_OPTIONS } from "./create-options.ts";
import { buildCreateRequest } from "./create-request.ts";
import { checkDetachKeys, DEFAULT_DETACH_KEYS } from "./detach-keys.ts";
import { runSession } from "./stdio-session.ts";
import type { SessionEnd } from "./terminal-input.ts";

export const command: Command = {
	usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	examples: [
		"gantry run --rm -it busybox sh",
		"gantry run -d --name web -p 8080:80 -v data:/srv --restart unless-stopped nginx",
		"gantry run --rm -v .:/work -w /work -e CI=1 node npm test",
	],
	options: [
		...CREATE_OPTIONS,
		{ name: "detach", short: "d", kind: "bool", help: "Run in the background and print the container's ID" },
		{ name: "detach-keys", kind: "string", help: "Keys that leave the container running (ctrl-p,ctrl-q)" },
		{ name: "sig-proxy", kind: "bool", help: "Pass signals on to the container", default: "true" },
	],
	isInterspersed: false,
	minArguments: 1,
	async run(context, options, args) {
		try {
			return await runContainer(context, options, args);
		} catch (error) {
			throw (await import("./start-failure.ts")).startFailure(error, "run");
		}
	},
};

async function runContainer(context: CliContext, options: ParsedOptions, args: string[]): Promise<number> {
	const isDetached = options.bool("detach");
	if (isDetached && options.has("attach"))
		throw new Error("conflicting options: cannot specify both --attach and --detach");
	const [client, request] = await Promise.all([
		context.client(),
		buildCreateRequest(options, args, context.environment),
	]);
	if (isDetached)
		Object.assign(request, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false });
	if (request.Tty) await prepareTerminal(request);
	const { detachKeys: configuredKeys } = await context.config();
	const detachKeys = options.text("detach-keys") || configuredKeys || "";
	checkDetachKeys(detachKeys);
	const warm = isDetached ? undefined : client.warmUp(2);
	const id = await createFromOptions(context, client, options, request);
	if (isDetached) {
		await startContainer(client, id);
		context.stdout.line(id);
		return 0;
	}
	await warm;
	return await runAttached({ context, client, id, request, detachKeys, options });
}

/** @throws ExitError when standard input has to be a terminal and is not */
async function prepareTerminal(request: ContainerCreateRequest): Promise<void> {
	const { isTerminal, terminalSize } = await import("../terminal.ts");
	if (request.AttachStdin && !isTerminal(0)) throw new ExitError(1, "the input device is not a TTY");
	const size = terminalSize(1);
	if (size !== undefined) request.HostConfig = { ...request.HostConfig, ConsoleSize: [size.rows, size.columns] };
}

interface Run {
	context: CliContext;
	client: EngineClient;
	id: string;
	request: ContainerCreateRequest;
	detachKeys: string;
	options: ParsedOptions;
}

/** Attach and wait are both in place before the start, so that nothing the container does can be missed. */
async function runAttached(run: Run): Promise<number> {
	const { client, id, request, options } = run;
	const isRemoved = options.bool("rm");
	const [channel, waiting] = await Promise.all([
		attachContainer(client, id, {
			stream: true,
			stdin: request.AttachStdin === true,
			stdout: request.AttachStdout === true,
			stderr: request.AttachStderr === true,
			detachKeys: run.detachKeys,
		}),
		waitContainer(client, id, isRemoved ? "removed" : "next-exit"),
	]);
	const stops: (() => void)[] = [];
	if (options.bool("sig-proxy")) {
		const { proxySignals } = await import("./signal-proxy.ts");
		const force = () => process.exit(1);
		stops.push(proxySignals((signal) => killContainer(client, id, signal), force, request.Tty === true));
	}
	if (request.Tty) await import("./terminal-input.ts");
	const session = openSession(run, channel);
	try {
		await startContainer(client, id);
	} catch (error) {
		channel.destroy();
		await session.catch(() => {}); // gives the terminal back
		// The daemon removes it; a name can be used again when this command is over.
		if (isRemoved) await waiting.result.catch(() => {});
		throw error;
	}
	try {
		if (request.Tty) {
			const { followTerminalSize } = await import("./terminal-input.ts");
			stops.push(followTerminalSize((rows, columns) => resizeContainer(client, id, rows, columns)));
		}
		if ((await session) === "detached") return 0;
		return await exitCode(run.context, waiting.result);
	} finally {
		for (const stop of stops) stop();
	}
}

/** Opened before the start, so that not even the first key or byte is treated in the wrong mode. */
function openSession({ context, request, detachKeys }: Run, channel: SocketChannel): Promise<SessionEnd> {
	const session = runSession({
		channel,
		isTty: request.Tty === true,
		hasInput: request.AttachStdin === true,
		stdout: request.AttachStdout ? context.stdout : undefined,
		stderr: request.AttachStderr ? context.stderr : undefined,
		detachKeys: detachKeys || DEFAULT_DETACH_KEYS,
	});
	session.catch(() => {}); // awaited after the start
	return session;
}

async function exitCode(context: CliContext, result: Promise<ContainerWaitResponse>): Promise<number> {
	const { StatusCode, Error: failure } = await result;
	if (!failure?.Message) return StatusCode;
	context.stderr.line(`Error waiting for container: ${failure.Message}`);
	return 125;
}
