/** What COPY and ADD make of a tree: modes, owners and times as BuildKit makes them. Commands that are checked run in the build itself. */
import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, utimesSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite();
const STAT = "stat -c '%a %u:%g %Y'";

test("a directory's contents are copied: of its own the new one has but the time", async () => {
	const { context } = suite;
	mkdirSync(context.path("private/below"), { recursive: true });
	chmodSync(context.path("private/below"), 0o700);
	chmodSync(context.path("private"), 0o700);
	utimesSync(context.path("private"), 1e9, 1e9);
	await suite.mustBuild([
		"FROM busybox AS made",
		"RUN mkdir -p /made/below && chown -R 5:6 /made && chmod 1777 /made",
		"FROM busybox",
		"COPY private /new",
		`RUN [ "$(${STAT} /new)" = "755 0:0 1000000000" ] && [ "$(stat -c %a /new/below)" = 700 ]`,
		"COPY --from=made /made /other",
		'RUN [ "$(stat -c "%a %u:%g" /other)" = "755 0:0" ] && [ "$(stat -c %u:%g /other/below)" = 5:6 ]',
		"COPY --chmod=750 --chown=7:8 private /changed",
		'RUN [ "$(stat -c "%a %u:%g" /changed)" = "750 7:8" ]',
		"RUN mkdir -m 711 /there /there/below && chown 5:6 /there/below",
		"COPY private /there",
		`RUN [ "$(${STAT} /there)" = "711 0:0 1000000000" ] && [ "$(stat -c "%a %u:%g" /there/below)" = "700 0:0" ]`,
	]);
});

test("a heredoc's file is as old as the build", async () => {
	const before = Math.floor(Date.now() / 1000);
	await suite.mustBuild(["FROM busybox", "COPY <<E /f", "E"], "--no-cache", "-t", "heredoc");
	expect(Number(await suite.run("heredoc", "stat -c %Y /f"))).toBeGreaterThanOrEqual(before);
});

test("archives keep their owners, unless ADD says otherwise", async () => {
	const { context } = suite;
	context.write({ "tree/f": "f" });
	await mustRun(["tar", "-C", context.path("tree"), "--owner=5", "--group=6", "-cf", context.path("t.tar"), "f"]);
	await suite.mustBuild([
		"FROM busybox",
		"ADD t.tar /own",
		"RUN [ $(stat -c %u:%g /own/f) = 5:6 ] && [ $(stat -c %u:%g /own) = 0:0 ]",
		"ADD --chown=7:8 t.tar /given",
		"RUN [ $(stat -c %u:%g /given/f) = 7:8 ]",
	]);
});

test("what a command writes into /etc/hostname is the image's", async () => {
	await suite.mustBuild(
		["FROM busybox", "RUN echo own > /etc/hostname", "FROM scratch", "COPY --from=0 /etc/hostname /"],
		"-o",
		suite.context.path("out"),
	);
	expect(readFileSync(suite.context.path("out/hostname"), "utf8")).toBe("own\n");
});

test("WORKDIR makes directories for the user", async () => {
	await suite.mustBuild([
		"FROM busybox",
		"USER 1234",
		"WORKDIR /number/below",
		"USER 5:6",
		"WORKDIR /both",
		"USER daemon",
		"WORKDIR /name",
		'RUN [ "$(stat -c %u:%g /number /number/below /both /name | tr "\\n" " ")" = "1234:1234 1234:1234 5:6 1:1 " ]',
	]);
});

test("a user without an account is at home in /", async () => {
	await suite.mustBuild(["FROM busybox", "USER 1234", "RUN [ $HOME = / ]", "USER root", "RUN [ $HOME = /root ]"]);
});
