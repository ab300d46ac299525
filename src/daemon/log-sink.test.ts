import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import { LogSink } from "./log-sink.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-log-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What `write` logs, without the times. */
async function logged(format: "text" | "json", write: (logger: Logger, sink: LogSink) => void): Promise<string> {
	const path = join(directory, "log");
	const fd = openSync(path, "w");
	try {
		const sink = new LogSink(fd, "info", format);
		write(sink.logger, sink);
		await sink.close();
		return readFileSync(path, "utf8").replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME");
	} finally {
		closeSync(fd);
	}
}

describe("LogSink", () => {
	test("writes text with quotes where they are needed", async () => {
		const text = await logged("text", (logger) =>
			logger
				.child({ part: "api" })
				.warn("it happened", { path: "/a b", count: 2, empty: "", error: new Error("x\ny"), none: undefined }),
		);
		expect(text).toBe('time=TIME level=warn msg="it happened" part=api path="/a b" count=2 empty="" error="x\\ny"\n');
	});

	test("writes JSON lines", async () => {
		const text = await logged("json", (logger) => logger.error("bad", { size: 12n, error: new Error("why") }));
		expect(text).toBe('{"time":"TIME","level":"error","msg":"bad","size":"12","error":"why"}\n');
	});

	test("leaves out what is below its level, which may change", async () => {
		const text = await logged("text", (logger, sink) => {
			logger.debug("one");
			sink.setLevel("debug");
			logger.debug("two");
			logger.trace("three");
		});
		expect(text).toBe("time=TIME level=debug msg=two\n");
	});

	test("loses nothing that was logged before close()", async () => {
		const text = await logged("text", (logger) => {
			for (let line = 0; line < 1000; line++) logger.info("line", { line });
		});
		expect(text.split("\n").length).toBe(1001);
	});
});
