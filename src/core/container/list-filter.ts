/** Which containers `GET /containers/json` shows, with Docker's rules and error texts. */
import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import { viewPortMap } from "./network-view.ts";
import { isRunning, lastExit } from "./state.ts";
import { statusName } from "./status.ts";

export interface ListOptions {
	/** Not only running ones. */
	readonly all: boolean;
	/** The newest so many, running or not; 0 or less: no limit. */
	readonly limit: number;
	readonly filters: Filters;
}

export interface ListLookups {
	/** @throws NotFoundError */
	readonly findContainer: (name: string) => Pick<ContainerRecord, "id" | "createdAt">;
	/** Whether the image is, or is made from, the one that `reference` (name, ID or prefix) means. */
	readonly descendsFrom: (imageId: string, reference: string) => boolean;
	readonly networkId: (name: string) => string | undefined;
}

const KEYS =
	"ancestor before expose exited health id isolation is-task label name network publish since status volume".split(" ");
const STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS = ["none", "starting", "healthy", "unhealthy"];

type Test = (record: ContainerRecord) => boolean;

/**
 * The chosen containers, newest first.
 * @throws InvalidParameterError, NotFoundError (`before`, `since`)
 */
export function selectContainers(
	records: readonly ContainerRecord[],
	options: ListOptions,
	lookups: ListLookups,
): ContainerRecord[] {
	const { filters, limit } = options;
	checkFilterKeys(filters, KEYS);
	const tests = buildTests(filters, lookups);
	const all = options.all || limit > 0 || filters.has("status");
	const chosen = records
		.filter((record) => (all || isShownByDefault(record)) && tests.every((test) => test(record)))
		.sort((one, other) => other.createdAt - one.createdAt || (one.id < other.id ? -1 : 1));
	return limit > 0 ? chosen.slice(0, limit) : chosen;
}

function isShownByDefault({ lifecycle }: ContainerRecord): boolean {
	return isRunning(lifecycle) || lifecycle.kind === "restarting";
}

function buildTests(filters: Filters, lookups: ListLookups): Test[] {
	const values = (key: string) => filters.get(key) ?? [];
	const any = (key: string, matches: (record: ContainerRecord, value: string) => boolean): Test[] =>
		values(key).length === 0 ? [] : [(record) => values(key).some((value) => matches(record, value))];
	const invalid = (key: string, value: string, why: string) =>
		new InvalidParameterError(`invalid filter '${key}=${value}': ${why}`);
	for (const value of values("status"))
		if (!STATUSES.includes(value))
			throw invalid("status", value, `invalid value for state (${value}): must be one of ${STATUSES.join(", ")}`);
	for (const value of values("health"))
		if (!HEALTHS.includes(value))
			throw invalid("health", value, `invalid value for health (${value}): must be one of ${HEALTHS.join(", ")}`);
	for (const value of values("exited"))
		if (!/^[+-]?\d+$/.test(value)) throw invalid("exited", value, `strconv.Atoi: parsing "${value}": invalid syntax`);
	return [
		...any("status", (record, value) => statusName(record.lifecycle) === value),
		...any("health", (record, value) => (record.health?.status ?? "none") === value),
		...any("exited", (record, value) => hasExitedWith(record, Number(value))),
		...any("id", (record, value) => matchesPattern(record.id, value)),
		...any("name", (record, value) => matchesPattern(record.name, value) || matchesPattern(`/${record.name}`, value)),
		...any("ancestor", (record, value) => lookups.descendsFrom(record.imageId, value)),
		...any("volume", hasMount),
		...any("network", (record, value) => isOnNetwork(record, value, lookups)),
		...portTests("publish", values("publish"), publishedPorts),
		...portTests("expose", values("expose"), (record) => Object.keys(viewPortMap(record))),
		...values("label").map(
			(label): Test =>
				(record) =>
					hasLabel(record.config.Labels ?? {}, label),
		),
		...timeTests(values, lookups),
		...taskTests(values("is-task")),
	];
}

function timeTests(values: (key: string) => readonly string[], lookups: ListLookups): Test[] {
	const before = values("before").map((name): Test => {
		const limit = lookups.findContainer(name).createdAt;
		return ({ createdAt }) => createdAt < limit;
	});
	const since = values("since").map((name): Test => {
		const limit = lookups.findContainer(name).createdAt;
		return ({ createdAt }) => createdAt > limit;
	});
	return [...before, ...since];
}

/** Containers of services have tasks; there are none of them here. */
function taskTests(values: readonly string[]): Test[] {
	if (values.length === 0) return [];
	const [value = ""] = values;
	const isTrue = /^(1|true)$/i.test(value);
	if (values.length > 1 || !(isTrue || /^(0|false)$/i.test(value)))
		throw new InvalidParameterError(`invalid filter 'is-task=[${values.join(" ")}]'`);
	return isTrue ? [() => false] : [];
}

function hasExitedWith({ lifecycle }: ContainerRecord, code: number): boolean {
	const exit = lastExit(lifecycle);
	return lifecycle.kind !== "restarting" && exit !== undefined && exit.startedAt !== 0 && exit.exitCode === code;
}

/** As a regular expression anywhere in the text; one that is none can still be the text itself. */
function matchesPattern(text: string, pattern: string): boolean {
	if (text === pattern) return true;
	try {
		return new RegExp(pattern).test(text);
	} catch {
		// SyntaxError: Docker finds nothing then, and does not complain.
		return false;
	}
}

function hasMount({ mounts }: ContainerRecord, value: string): boolean {
	return mounts.some(
		({ type, source, target, origin }) =>
			origin !== "tmpfs" &&
			(target === value || (type === "volume" && source === value) || (type === "bind" && source === value)),
	);
}

function isOnNetwork({ endpoints }: ContainerRecord, value: string, lookups: ListLookups): boolean {
	if (Object.hasOwn(endpoints, value)) return true;
	return (
		value !== "" &&
		Object.entries(endpoints).some(([name, { assigned }]) =>
			(assigned?.networkId ?? lookups.networkId(name) ?? "").startsWith(value),
		)
	);
}

/** `key` or `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
	const equals = wanted.indexOf("=");
	if (equals === -1) return Object.hasOwn(labels, wanted);
	return Object.hasOwn(labels, wanted.slice(0, equals)) && labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

/** Ports of the host that lead to a running container. */
function publishedPorts({ lifecycle, mappings }: ContainerRecord): string[] {
	return isRunning(lifecycle) ? mappings.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`) : [];
}

function portTests(
	key: string,
	values: readonly string[],
	portsOf: (record: ContainerRecord) => readonly string[],
): Test[] {
	if (values.length === 0) return [];
	const wanted = new Set(values.flatMap((value) => expandPorts(key, value)));
	return [(record) => portsOf(record).some((port) => wanted.has(port))];
}

/** `80`, `80/udp`, `80-90/tcp` as `port/protocol` each. */
function expandPorts(key: string, value: string): string[] {
	const [range = "", protocol = "tcp"] = value.split("/");
	const [first = "", last = first] = range.split("-");
	const [start, end] = [first, last].map((text) => {
		const fail = (why: string) =>
			new InvalidParameterError(
				`error while looking up for ${key} ${value}: strconv.ParseUint: parsing "${text}": ${why}`,
			);
		if (!/^\d+$/.test(text)) throw fail("invalid syntax");
		if (Number(text) > 65_535) throw fail("value out of range");
		return Number(text);
	});
	if (start === undefined || end === undefined || end < start)
		throw new InvalidParameterError(`error while looking up for ${key} ${value}: invalid range specified for port`);
	return Array.from({ length: end - start + 1 }, (_, index) => `${start + index}/${protocol}`);
}
