import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../base/digest.ts";
import type { WireEvent } from "../../../core/build/session/build-call.ts";
import { BuildState } from "./build-state.ts";
import { stepColors } from "./colors.ts";
import { PlainView } from "./plain-view.ts";
import { RawJsonView } from "./raw-json.ts";
import { plainLine } from "./step-text.ts";
import { paintBuild, TerminalView } from "./terminal-view.ts";

const START = Date.UTC(2030, 0, 1);

interface VertexChanges {
	from?: number;
	to?: number;
	cached?: boolean;
	error?: string;
}

/** A step's state; times are seconds since the build began. */
function vertex(name: string, { from, to, cached, error }: VertexChanges = {}): WireEvent {
	return {
		kind: "vertex",
		vertex: {
			digest: sha256(name),
			name,
			inputs: [],
			...(from === undefined ? {} : { started: START + from * 1000 }),
			...(to === undefined ? {} : { completed: START + to * 1000 }),
			...(cached === undefined ? {} : { cached }),
			...(error === undefined ? {} : { error }),
		},
	};
}

function log(name: string, text: string, at: number): WireEvent {
	const data = Buffer.from(text).toString("base64");
	return { kind: "log", log: { vertex: sha256(name), stream: 1, data, timestamp: START + at * 1000 } };
}

function status(name: string, id: string, current: number, total: number, from: number, to?: number): WireEvent {
	return {
		kind: "status",
		status: {
			id,
			vertex: sha256(name),
			name: id,
			current,
			total,
			started: START + from * 1000,
			...(to === undefined ? {} : { completed: START + to * 1000 }),
		},
	};
}

/** A recorded build: what happened at which second. */
const RECORDED: readonly [number, WireEvent[]][] = [
	[0, [vertex("load"), vertex("[1/3] FROM base"), vertex("[2/3] RUN a"), vertex("[3/3] RUN b")]],
	[0, [vertex("load", { from: 0 })]],
	[0.1, [status("load", "transferring context:", 2048, 0, 0, 0.1), vertex("load", { from: 0, to: 0.1 })]],
	[0.1, [vertex("[1/3] FROM base", { from: 0.1, to: 0.1, cached: true })]],
	[0.2, [vertex("[2/3] RUN a", { from: 0.2 }), vertex("[3/3] RUN b", { from: 0.2 })]],
	[0.3, [log("[2/3] RUN a", "one\nhal", 0.3), log("[3/3] RUN b", "bee\n", 0.3)]],
	[0.5, [log("[2/3] RUN a", "f\n", 0.5)]],
	[0.6, [vertex("[2/3] RUN a", { from: 0.2, to: 0.6 })]],
	[0.7, [log("[3/3] RUN b", "no newline", 0.7), vertex("[3/3] RUN b", { from: 0.2, to: 0.7, error: "exit code: 1" })]],
];

describe("PlainView", () => {
	test("writes steps in blocks, with what they say and how they end", () => {
		let text = "";
		const view = new PlainView((part) => {
			text += part;
		});
		for (const [second, events] of RECORDED) view.show(events, START + second * 1000);
		view.finish(START + 700);
		expect(text).toBe(`#1 load
#1 transferring context: 2.05kB 0.1s done
#1 DONE 0.1s

#2 [1/3] FROM base
#2 CACHED

#3 [2/3] RUN a
#3 0.100 one
#3 0.300 half
#3 DONE 0.4s

#4 [3/3] RUN b
#4 0.100 bee
#4 0.500 no newline
#4 ERROR: exit code: 1

`);
	});

	test("gives the turn to another step when one is silent, and comes back to it", () => {
		let text = "";
		const view = new PlainView((part) => {
			text += part;
		});
		view.show([vertex("a", { from: 0 }), log("a", "a1\n", 0)], START);
		view.show([vertex("b", { from: 0 }), log("b", "b1\n", 0)], START + 100);
		expect(text).toBe("#1 a\n#1 0.000 a1\n");
		view.tick(START + 2000);
		expect(text).toEndWith("#1 ...\n\n#2 b\n#2 0.000 b1\n");
		view.show([vertex("b", { from: 0, to: 3 }), log("a", "a2\n", 3)], START + 3000);
		expect(text).toEndWith("#2 DONE 3.0s\n\n#1 a\n#1 3.000 a2\n");
	});

	test("shows a transfer now and then, and its end once", () => {
		let text = "";
		const view = new PlainView((part) => {
			text += part;
		});
		view.show([vertex("pull", { from: 0 })], START);
		for (let second = 0; second < 5; second++)
			view.show([status("pull", "layer", second * 1000, 9000, 0)], START + second * 1000);
		for (const _ of [1, 2]) view.show([status("pull", "layer", 9000, 9000, 0, 5)], START + 5000);
		expect(text).toBe("#1 pull\n#1 layer 2kB / 9kB 2.0s\n#1 layer 4kB / 9kB 4.0s\n#1 layer 9kB / 9kB 5.0s done\n");
	});
});

describe("paintBuild()", () => {
	const state = new BuildState();
	for (const [, events] of RECORDED.slice(0, -2)) for (const event of events) state.apply(event);
	const paint = (rows: number, columns = 50, isFinal = false) =>
		paintBuild(state, { rows, columns, now: START + 600, startedAt: START, isFinal, colors: undefined });

	test("shows steps side by side, with times at the edge and the tails of those that run", () => {
		expect(paint(30)).toEqual([
			"[+] Building 0.6s (2/4)",
			" => load                                     0.1s",
			" => => transferring context: 2.05kB          0.1s",
			" => CACHED [1/3] FROM base                   0.0s",
			" => [2/3] RUN a                              0.4s",
			" => => # one",
			" => => # half",
			" => [3/3] RUN b                              0.4s",
			" => => # bee",
		]);
	});

	for (const rows of [3, 4, 5, 6, 7, 8, 9, 10])
		test(`fits a screen of ${rows} rows, running steps first`, () => {
			const lines = paint(rows);
			expect(lines.length).toBeLessThanOrEqual(rows - 1);
			if (rows >= 4) expect(lines.join("\n")).toContain("[2/3] RUN a");
			expect(lines.join("\n")).toContain("[3/3] RUN b");
		});

	test("fits narrow screens and wide characters", () => {
		const wide = new BuildState();
		wide.apply(vertex("日本語".repeat(20), { from: 0 }));
		wide.apply(log("日本語".repeat(20), `${"本".repeat(99)}\n`, 0));
		for (const columns of [20, 21, 37])
			for (const line of paintBuild(wide, {
				rows: 9,
				columns,
				now: START,
				startedAt: START,
				isFinal: false,
				colors: undefined,
			}))
				expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
	});

	test("shows all of it in the end, however low the screen", () => {
		expect(paint(3, 50, true).length).toBe(9);
	});
});

test("TerminalView paints over what it painted, and gives the cursor back", () => {
	let text = "";
	const size = { rows: 6, columns: 40 };
	const view = new TerminalView(
		(part) => {
			text += part;
		},
		{ size: () => size, now: START, colors: undefined },
	);
	for (const [second, events] of RECORDED) {
		view.show(events);
		view.tick(START + second * 1000);
		// Never higher than the screen: what scrolled away could not be painted over.
		for (const [, up] of text.matchAll(/\x1b\[(\d+)A/g)) expect(Number(up)).toBeLessThan(size.rows);
	}
	size.rows = 4;
	view.tick(START + 650);
	view.finish(START + 700);
	expect(text).toContain("FINISHED");
	expect(text).toContain("ERROR [3/3] RUN b");
	expect(text).toEndWith("\x1b[?25h");
});

test("RawJsonView writes BuildKit's shape", () => {
	let text = "";
	new RawJsonView((part) => {
		text += part;
	}).show([
		vertex("a", { from: 1, to: 2.5, error: "no" }),
		status("a", "x", 1, 2, 1, 2),
		log("a", "hi\n", 2),
		{
			kind: "warning",
			warning: { vertex: sha256("a"), level: 1, short: "careful", detail: ["so"], ranges: [{ start: 2, end: 3 }] },
		},
	]);
	expect(JSON.parse(text)).toEqual({
		vertexes: [
			{
				digest: sha256("a"),
				name: "a",
				started: "2030-01-01T00:00:01.000Z",
				completed: "2030-01-01T00:00:02.500Z",
				error: "no",
			},
		],
		statuses: [
			{
				id: "x",
				vertex: sha256("a"),
				name: "",
				total: 2,
				current: 1,
				timestamp: "2030-01-01T00:00:02.000Z",
				started: "2030-01-01T00:00:01.000Z",
				completed: "2030-01-01T00:00:02.000Z",
			},
		],
		logs: [{ vertex: sha256("a"), stream: 1, data: "aGkK", timestamp: "2030-01-01T00:00:02.000Z" }],
		warnings: [
			{
				vertex: sha256("a"),
				level: 1,
				short: "Y2FyZWZ1bA==",
				detail: ["c28="],
				range: [{ start: { line: 2 }, end: { line: 3 } }],
			},
		],
	});
});

test("stepColors() reads BUILDKIT_COLORS, says what is wrong in it, and knows who wants none", () => {
	const warnings: string[] = [];
	const colors = (environment: Record<string, string>) => stepColors(environment, (text) => warnings.push(text));
	expect(colors({ NO_COLOR: "1", BUILDKIT_COLORS: "run=green" })).toBeUndefined();
	expect(colors({ TERM: "dumb" })).toBeUndefined();
	expect(colors({})).toMatchObject({ run: "\x1b[34m", error: "\x1b[31m" });
	expect(colors({ BUILDKIT_COLORS: "run=GREEN:error=1,2,3:cancel=light-red:warning=256,0,0:x=red:run" })).toEqual({
		run: "\x1b[32m",
		error: "\x1b[38;2;1;2;3m",
		cancel: "\x1b[91m",
		warning: "\x1b[33m",
	});
	expect(warnings).toEqual(["warning=256,0,0", "x=red", "run"].map((field) => `invalid BUILDKIT_COLORS: ${field}`));
});

test("plainLine() leaves nothing that moves a cursor", () => {
	expect(plainLine("\x1b[31mred\x1b[0m 10%\r20%\tx\x07\x1b]0;title\x07")).toBe("20%    x");
	expect(plainLine("line\r")).toBe("line");
});
