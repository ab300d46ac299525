/** What COPY puts its files into: directories that are there and empty, as WORKDIR makes them, and those that it has to make. */
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

test("directories that COPY has to make have an octal mode, and the owner, that it asks for", async () => {
	suite.context.write({ "s/f": "" });
	await suite.mustBuild([
		"FROM busybox",
		"COPY --chmod=710 --chown=3:4 s /a/b",
		"COPY --chmod=710 s/f /c/d/f",
		"COPY --chmod=go= s /e/g",
		"COPY --chmod=6711 s /i/j",
		"COPY --chmod=710 <<here /h/here",
		"here",
		'RUN [ "$(stat -c "%a %u:%g" /a /a/b /a/b/f | tr "\\n" ,)" = "710 3:4,710 3:4,710 3:4," ]',
		'RUN [ "$(stat -c %a /i /i/j /i/j/f | xargs)" = "711 711 6711" ]',
		'RUN [ "$(stat -c %a /c /c/d /e /e/g /e/g/f /h /h/here | xargs)" = "710 710 755 755 600 710 710" ]',
	]);
});

test("root is known where there are no users; a flag of which variables leave nothing is none", async () => {
	suite.context.write({ f: "" });
	await suite.mustBuild(
		["FROM scratch", "ARG NOTHING", "COPY --chown=root:root --chmod=$NOTHING f /", "ADD --chown=$NOTHING f /g"],
		"-t",
		"rootless",
	);
	const history = await suite.daemon.mustDocker(["history", "--no-trunc", "--format", "{{.CreatedBy}}", "rootless"]);
	expect(history.split("\n")).toEqual(["ADD f /g # buildkit", "COPY --chown=root:root f / # buildkit", "ARG NOTHING"]);
});
