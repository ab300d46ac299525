/** COPY into directories that are there and empty, as WORKDIR makes them: what lower layers had in them does not come back. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite({ files: { "tree/a.txt": "new\n", "tree/sub/b.txt": "b\n" } });

test("an empty directory keeps its own owner and mode, and nothing that was removed shows again", async () => {
	const { code, stderr } = await suite.build([
		"FROM busybox",
		"RUN mkdir -p /app/sub/gone && echo old > /app/a.txt && echo old > /app/sub/old.txt && ln -s /app /link",
		"RUN rm -r /app/* && chown 5:6 /app && chmod 2750 /app",
		"COPY tree /link/",
		"RUN test \"$(cd /app && find . | sort | tr '\\n' ' ')\" = '. ./a.txt ./sub ./sub/b.txt '",
		'RUN test "$(cat /app/a.txt)" = new && test "$(stat -c %a:%u:%g /app)" = 2750:5:6',
		'RUN test "$(stat -c %u:%g /app/a.txt /app/sub /app/sub/b.txt | sort -u)" = 0:0',
	]);
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
});

test("a working directory takes the context, and a second COPY adds to it", async () => {
	const { code, stderr } = await suite.build([
		"FROM busybox",
		"WORKDIR /work",
		"COPY tree .",
		"COPY tree/sub .",
		"RUN test \"$(find . | sort | tr '\\n' ' ')\" = '. ./a.txt ./b.txt ./sub ./sub/b.txt '",
	]);
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
});
