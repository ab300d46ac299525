/** The engines that a benchmark compares, and the clients it drives them with. Pure. */
import { InvalidParameterError } from "../src/base/errors.ts";

/** One column of the table: an engine and the client it is driven with. */
export interface Side {
	readonly name: string;
	/** `unix://…`; empty where there is no daemon. */
	readonly host: string;
	/** Path of the client. */
	readonly client: string;
	/** Network namespace of the daemon where it has one of its own: published ports are on localhost there. */
	readonly networkNamespace?: string;
	/** `gantry` sides are compared with the first `peer`. */
	readonly kind: "gantry" | "peer";
	/** A side of the same engine comes earlier: memory is not measured twice. */
	readonly repeatsEngine: boolean;
	/** Directory of an engine without a daemon: `client` is podman itself, of which only transfers of images are measured. */
	readonly storage?: string;
}

export interface BenchOptions {
	readonly sides: readonly Side[];
	readonly rounds: number;
	/** Only scenarios whose name contains one of these. All when empty. */
	readonly only: readonly string[];
	/** File for the raw figures. */
	readonly jsonPath?: string;
}

export interface ClientPaths {
	readonly docker: string;
	readonly gantry: string;
	/** Null where there is none. */
	readonly podman: string | null;
	/** Directory for a podman that is given none. */
	readonly podmanStorage: string;
}

export const USAGE = `bun run bench --gantry unix://SOCKET[,netns=PATH] --peer NAME=unix://SOCKET[,netns=PATH] [--peer …]
    [--peer NAME=podman:[DIRECTORY]]
    [--rounds N] [--only NAME[,NAME…]] [--json FILE]
The first peer is the one that Gantry is compared with.`;

/** @throws InvalidParameterError for an unknown option or a malformed value. */
export function parseBenchOptions(argv: readonly string[], clients: ClientPaths): BenchOptions {
	const sides: Side[] = [];
	let rounds = 11;
	let only: string[] = [];
	let jsonPath: string | undefined;
	for (let index = 0; index < argv.length; index += 2) {
		const name = argv[index];
		const value = argv[index + 1];
		if (value === undefined) throw new InvalidParameterError(`${name} needs a value\n${USAGE}`);
		if (name === "--gantry") sides.push(...gantrySides(value, clients));
		else if (name === "--peer") sides.push(parsePeer(value, clients));
		else if (name === "--rounds") rounds = parseRounds(value);
		else if (name === "--only") only = value.split(",");
		else if (name === "--json") jsonPath = value;
		else throw new InvalidParameterError(`unknown option ${name}\n${USAGE}`);
	}
	if (sides.length === 0) throw new InvalidParameterError(USAGE);
	return { sides, rounds, only, ...(jsonPath === undefined ? {} : { jsonPath }) };
}

function gantrySides(text: string, clients: ClientPaths): Side[] {
	const [address = "", networkNamespace] = text.split(",netns=");
	const engine = {
		host: parseHost(address),
		kind: "gantry" as const,
		...(networkNamespace === undefined ? {} : { networkNamespace }),
	};
	return [
		{ ...engine, name: "Gantry", client: clients.docker, repeatsEngine: false },
		{ ...engine, name: "Gantry, own client", client: clients.gantry, repeatsEngine: true },
	];
}

function parsePeer(text: string, clients: ClientPaths): Side {
	const daemonless = /^([^=]+)=podman:(.*)$/.exec(text);
	if (daemonless !== null) {
		const [, name = "", directory = ""] = daemonless;
		if (clients.podman === null) throw new InvalidParameterError("there is no podman on the PATH");
		if (directory !== "" && !directory.startsWith("/"))
			throw new InvalidParameterError(`not podman:/DIRECTORY: ${text}`);
		const storage = directory === "" ? clients.podmanStorage : directory;
		return { name, host: "", client: clients.podman, kind: "peer", repeatsEngine: false, storage };
	}
	const match = /^([^=]+)=([^,]+)(?:,netns=(.+))?$/.exec(text);
	if (match === null) throw new InvalidParameterError(`not NAME=unix://SOCKET[,netns=PATH]: ${text}`);
	const [, name = "", host = "", networkNamespace] = match;
	const side: Side = { name, host: parseHost(host), client: clients.docker, kind: "peer", repeatsEngine: false };
	return networkNamespace === undefined ? side : { ...side, networkNamespace };
}

/** What a side's client is started with for a command of docker's. */
export function clientArguments({ storage }: Side, [verb = "", ...rest]: readonly string[]): string[] {
	if (storage === undefined) return [verb, ...rest];
	const place = ["--root", `${storage}/storage`, "--runroot", `${storage}/run`, "--tmpdir", `${storage}/tmp`];
	const plain = verb === "pull" || verb === "push" ? ["--tls-verify=false"] : [];
	return [...place, verb, ...plain, ...rest];
}

function parseHost(text: string): string {
	if (!text.startsWith("unix:///")) throw new InvalidParameterError(`not unix:///PATH: ${text}`);
	return text;
}

function parseRounds(text: string): number {
	const rounds = Number(text);
	if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidParameterError(`not a number of rounds: ${text}`);
	return rounds;
}
