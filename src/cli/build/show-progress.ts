import type { CliContext } from "../context.ts";
import { isTerminal, terminalSize } from "../terminal.ts";
import { BuildState } from "./progress/build-state.ts";
import type { ProgressView } from "./progress/progress-view.ts";

export type ProgressKind = "plain" | "tty" | "rawjson" | "quiet";

const TICK_MS = 100;
const DEFAULT_SIZE = { rows: 24, columns: 80 };

/** What `--progress`, `-q` and BUILDKIT_PROGRESS ask for. @throws Error for another word */
export function progressKind(
	option: string,
	{ isQuiet, environment }: { isQuiet: boolean; environment: CliContext["environment"] },
): ProgressKind {
	const text = option || environment["BUILDKIT_PROGRESS"] || "auto";
	switch (text) {
		case "auto":
			return isQuiet ? "quiet" : isTerminal(2) ? "tty" : "plain";
		case "quiet":
		case "none":
			return "quiet";
		case "plain":
		case "tty":
		case "rawjson":
			if (isQuiet) throw new Error(`progress=${text} and quiet cannot be used together`);
			if (text === "tty" && !isTerminal(2)) throw new Error("failed to get console: provided file is not a console");
			return text;
		default:
			throw new Error(`invalid progress ${JSON.stringify(text)}: auto, plain, tty, quiet or rawjson`);
	}
}

/** A view on standard error that moves by itself until `stop`. */
export async function startProgress(
	context: CliContext,
	kind: ProgressKind,
): Promise<{ view: ProgressView; stop(): Promise<void> }> {
	const { stderr } = context;
	const write = (text: string) => stderr.write(text);
	const view = await makeView(kind, write, context);
	const timer = setInterval(() => {
		view.tick(Date.now());
		// A reader that has gone ends the command at its next line.
		stderr.flush().catch(() => {});
	}, TICK_MS);
	const onResize = () => {};
	// Makes the stream look at the terminal's size again whenever it changes.
	if (kind === "tty") process.stderr.on("resize", onResize);
	return {
		view,
		async stop() {
			clearInterval(timer);
			if (kind === "tty") process.stderr.off("resize", onResize);
			view.finish(Date.now());
			await stderr.flush();
		},
	};
}

async function makeView(kind: ProgressKind, write: (text: string) => void, context: CliContext): Promise<ProgressView> {
	switch (kind) {
		case "plain": {
			const { PlainView } = await import("./progress/plain-view.ts");
			return new PlainView(write);
		}
		case "rawjson": {
			const { RawJsonView } = await import("./progress/raw-json.ts");
			return new RawJsonView(write);
		}
		case "tty": {
			const [{ TerminalView }, { stepColors }] = await Promise.all([
				import("./progress/terminal-view.ts"),
				import("./progress/colors.ts"),
			]);
			const colors = stepColors(context.environment, (message) => context.stderr.line(`WARNING: ${message}`));
			return new TerminalView(write, { size: () => terminalSize(2) ?? DEFAULT_SIZE, now: Date.now(), colors });
		}
		case "quiet": {
			const state = new BuildState();
			return {
				state,
				show(events) {
					for (const event of events) state.apply(event);
				},
				tick() {},
				finish() {},
			};
		}
	}
}
