import { describe, expect, test } from "bun:test";
import { makeRecord } from "../../../test/support/container-record.ts";
import { NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import { selectContainers } from "./list-filter.ts";

const running = { kind: "running", pid: 1, startedAt: 1, oomKilled: false } as const;
const exited = {
	kind: "exited",
	exit: { exitCode: 3, oomKilled: false, error: "", startedAt: 1, finishedAt: 2 },
} as const;
const make = (id: string, createdAt: number, changes: Partial<ContainerRecord>): ContainerRecord => ({
	...makeRecord({
		Labels: { app: id, all: "" },
		HostConfig: { PortBindings: { [`${createdAt}/tcp`]: [{}] }, Binds: [`${id}-data:/d`] },
	}),
	id: id.repeat(64),
	name: `name-${id}`,
	createdAt,
	lifecycle: exited,
	...changes,
});
const RECORDS = [
	make("a", 10, { lifecycle: running, health: { status: "healthy", failingStreak: 0, log: [] } }),
	make("b", 20, {}),
	make("c", 30, {
		lifecycle: { ...running, kind: "paused" },
		mappings: [{ containerPort: 30, protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8030 }],
	}),
	make("d", 40, { lifecycle: { kind: "created" } }),
];

function select(filters: Record<string, string[]>, options: { all?: boolean; limit?: number } = {}): string {
	const chosen = selectContainers(
		RECORDS,
		{ all: options.all ?? true, limit: options.limit ?? 0, filters: new Map(Object.entries(filters)) },
		{
			findContainer: (name) => {
				const found = RECORDS.find((record) => record.name === name);
				if (found === undefined) throw new NotFoundError(`No such container: ${name}`);
				return found;
			},
			descendsFrom: (_imageId, reference) => reference === "busybox",
			networkId: () => "f00d",
		},
	);
	return chosen.map(({ id }) => id[0]).join("");
}

test("without all only what runs is shown, newest first; a limit and a status count all", () => {
	expect([
		select({}, { all: false }),
		select({}, { all: false, limit: 3 }),
		select({ status: ["exited"] }, { all: false }),
	]).toEqual(["ca", "dcb", "b"]);
});

describe("each filter", () => {
	const cases: [Record<string, string[]>, string][] = [
		[{ status: ["created", "paused"] }, "dc"],
		[{ exited: ["3"] }, "b"],
		[{ exited: ["0"] }, ""],
		[{ health: ["healthy"] }, "a"],
		[{ health: ["none"] }, "dcb"],
		[{ id: ["bbb"] }, "b"],
		[{ name: ["^/name-a$"] }, "a"],
		[{ name: ["a|b"] }, "dcba"],
		[{ name: ["["] }, ""],
		[{ label: ["app=a"] }, "a"],
		[{ label: ["app", "all="] }, "dcba"],
		[{ label: ["app=a", "app=b"] }, ""],
		[{ before: ["name-c"] }, "ba"],
		[{ since: ["name-b"] }, "dc"],
		[{ volume: ["a-data", "d-data"] }, "da"],
		[{ volume: ["/d"] }, "dcba"],
		[{ network: ["bridge"] }, "dcba"],
		[{ network: ["f00"] }, "dcba"],
		[{ network: ["nosuch"] }, ""],
		[{ publish: ["8000-8040"] }, "c"],
		[{ publish: ["30"] }, ""],
		[{ publish: ["8030/udp"] }, ""],
		[{ expose: ["10-40/tcp"] }, "ca"],
		[{ ancestor: ["busybox"] }, "dcba"],
		[{ ancestor: ["nosuch"] }, ""],
		[{ "is-task": ["true"] }, ""],
		[{ "is-task": ["false"] }, "dcba"],
		[{ isolation: ["x"] }, "dcba"],
	];
	for (const [filters, want] of cases)
		test(JSON.stringify(filters), () => {
			expect(select(filters)).toBe(want);
		});
});

describe("refusals", () => {
	const cases: [Record<string, string[]>, string][] = [
		[{ foo: ["x"] }, "invalid filter 'foo'"],
		[
			{ status: ["foo"] },
			"invalid filter 'status=foo': invalid value for state (foo): must be one of created, running, paused, restarting, removing, exited, dead",
		],
		[
			{ health: ["foo"] },
			"invalid filter 'health=foo': invalid value for health (foo): must be one of none, starting, healthy, unhealthy",
		],
		[{ exited: ["x"] }, `invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax`],
		[{ before: ["nosuch"] }, "No such container: nosuch"],
		[{ "is-task": ["x"] }, "invalid filter 'is-task=[x]'"],
		[{ "is-task": ["true", "false"] }, "invalid filter 'is-task=[true false]'"],
		[{ publish: ["x"] }, `error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax`],
		[
			{ expose: ["99999"] },
			`error while looking up for expose 99999: strconv.ParseUint: parsing "99999": value out of range`,
		],
	];
	for (const [filters, message] of cases)
		test(message, () => {
			expect(() => select(filters)).toThrow(new Error(message));
		});
});
