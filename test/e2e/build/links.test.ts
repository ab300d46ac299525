/** Destinations and mount points behind symlinks of the image, and what is said when the runtime does not start a command. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite();

async function build(...dockerfile: string[]): Promise<string> {
	suite.context.write({ Dockerfile: dockerfile, file: "file" });
	const { code, stderr } = await suite.build(undefined);
	return `${stderr}\ncode ${code}`;
}

test("a heredoc goes into a directory under its name, and through symlinks", async () => {
	const text = await build(
		"FROM busybox",
		"RUN mkdir /d && ln -s /d /link && ln -s /d/second /file",
		"COPY <<first /d",
		"one",
		"first",
		"COPY <<second /file",
		"two",
		"second",
		"COPY <<third /link",
		"three",
		"third",
		"COPY <<top /",
		"four",
		"top",
		'RUN [ "$(cat /d/first /d/second /d/third /top)" = "$(printf "one\\ntwo\\nthree\\nfour")" ] && [ -L /file ]',
	);
	expect(text).toEndWith("code 0");
});

test("directories are made where a symlink leads to nothing", async () => {
	const text = await build(
		"FROM busybox",
		"RUN ln -s /not/there /link",
		"WORKDIR /link/below",
		"COPY file /link/copied/",
		"RUN [ -d /not/there/below ] && [ -e /not/there/copied/file ] && [ -L /link ]",
	);
	expect(text).toEndWith("code 0");
});

test("the step's output says why its command did not start", async () => {
	const text = await build("FROM busybox", 'RUN ["/not/there"]');
	expect(text).toMatch(/^#\d+ [\d.]+ .*\/not\/there.*(no such file|not found)/im);
	expect(text).toContain('process "/not/there" did not complete successfully: exit code: 127');
});
