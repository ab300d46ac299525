/** What people's repositories have, built by both clients from nothing but busybox, run, changed, built again and pushed. */
import { describe, expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";
import { waitFor } from "../../support/commands.ts";

const suite = new BuildSuite({ registry: true });

const BUILDERS = {
	"gantry build": (args: readonly string[]) => suite.daemon.mustGantry(["build", ...args]),
	"docker build": (args: readonly string[]) =>
		suite.daemon.mustDocker(["build", ...args], { env: { DOCKER_BUILDKIT: "0" } }),
};

const run = (...args: string[]) => suite.daemon.mustDocker(["run", "--rm", ...args]);

async function layersOf(image: string): Promise<string[]> {
	return JSON.parse(await suite.daemon.mustDocker(["image", "inspect", "-f", "{{json .RootFS.Layers}}", image]));
}

/** The page at `/` of a container's published port. */
async function pageOf(container: string, port: number): Promise<string> {
	const address = (await suite.daemon.mustDocker(["port", container, `${port}`])).split("\n")[0];
	return waitFor(`a page of ${container}`, async () => {
		const response = await fetch(`http://${address}/`).catch(() => undefined);
		return response?.ok ? await response.text() : undefined;
	});
}

for (const [name, build] of Object.entries(BUILDERS)) {
	const tag = name.replace(" ", "-");

	describe(name, () => {
		test("a web application: run, changed, and only the last layer is new, here and in the registry", async () => {
			const image = `${suite.registry.host}/${tag}`;
			suite.context.write({
				Dockerfile: [
					"FROM busybox",
					`RUN mkdir -p /srv/lib && echo ${tag} > /srv/lib/framework`,
					"WORKDIR /app",
					"EXPOSE 5001",
					'CMD ["httpd", "-f", "-p", "5001", "-h", "/app"]',
					"COPY index.html /app/index.html",
				],
				"index.html": "hello world!",
			});
			const serve = async (version: string) => {
				const container = await suite.daemon.mustDocker(["run", "-d", "-p", "127.0.0.1::5001", `${image}:${version}`]);
				const page = await pageOf(container, 5001);
				await suite.daemon.mustDocker(["rm", "-f", container]);
				return page;
			};
			await build(["-t", `${image}:1`, suite.context.directory]);
			expect(await serve("1")).toBe("hello world!");
			await suite.daemon.mustDocker(["push", `${image}:1`]);

			suite.context.write({ "index.html": "hello again" });
			await build(["-t", `${image}:2`, suite.context.directory]);
			expect(await serve("2")).toBe("hello again");
			expect(await serve("1")).toBe("hello world!");
			const [before, after] = [await layersOf(`${image}:1`), await layersOf(`${image}:2`)];
			expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
			expect(after.at(-1)).not.toBe(before.at(-1));
			const pushed = await suite.daemon.mustDocker(["push", `${image}:2`]);
			expect(pushed.match(/: Layer already exists/g)?.length).toBe(before.length - 1);
			expect(pushed.match(/: Pushed/g)?.length).toBe(1);
		});

		test("two services with a new tag for each build", async () => {
			for (const service of ["orders", "users"])
				suite.context.write({
					[`${service}/Dockerfile`]: [
						"ARG BASE=busybox",
						"FROM ${BASE}",
						"WORKDIR /usr/src/app",
						"COPY package*.json ./",
						"RUN mkdir node_modules && cp package.json node_modules/installed",
						"COPY . .",
						"ARG VERSION=dev",
						"ENV VERSION=$VERSION",
						`CMD echo "$(cat server) $VERSION $(cat node_modules/installed)"`,
					],
					[`${service}/.dockerignore`]: ["node_modules", "*.log"],
					[`${service}/package.json`]: "{}",
					[`${service}/package-lock.json`]: "{}",
					[`${service}/server`]: service,
					[`${service}/node_modules/installed`]: "of the host",
					[`${service}/debug.log`]: "noise",
				});
			for (const version of ["1.0.1", "1.0.2", "1.0.3"])
				await Promise.all(
					["orders", "users"].map(async (service) => {
						const image = `${tag}-${service}:${version}`;
						await build(["-t", image, "--build-arg", `VERSION=${version}`, suite.context.path(service)]);
						expect(await run(image)).toBe(`${service} ${version} {}`);
						expect(await run(image, "ls")).toBe("Dockerfile\nnode_modules\npackage-lock.json\npackage.json\nserver");
					}),
				);
			const tags = await suite.daemon.mustDocker(["images", "--format", "{{.Tag}}", `${tag}-orders`]);
			expect(tags.split("\n").sort()).toEqual(["1.0.1", "1.0.2", "1.0.3"]);
			// Nothing but the value of VERSION differs.
			expect(await layersOf(`${tag}-orders:1.0.3`)).toEqual(await layersOf(`${tag}-orders:1.0.1`));
		});

		test("a program built in one stage and alone in the other", async () => {
			suite.context.write({
				Dockerfile: [
					"FROM busybox AS build",
					"WORKDIR /src",
					"COPY greeting .",
					"RUN cp /bin/busybox /out && cp greeting /greeting",
					"FROM scratch",
					"COPY --from=build /out /echo",
					"COPY --from=build /greeting /greeting",
					'ENTRYPOINT ["/echo"]',
					'CMD ["world"]',
				],
				greeting: "hello",
			});
			await build(["-t", `${tag}-tool`, suite.context.directory]);
			expect(await run(`${tag}-tool`)).toBe("world");
			expect(await run(`${tag}-tool`, "everybody", "else")).toBe("everybody else");
			expect((await layersOf(`${tag}-tool`)).length).toBe(2);
		});

		test("an image that runs as its own user", async () => {
			suite.context.write({
				Dockerfile: [
					"FROM busybox",
					"RUN echo app:x:1001: >> /etc/group && echo app:x:1001:1001::/home/app:/bin/sh >> /etc/passwd",
					"WORKDIR /home/app/data",
					"RUN chown app:app .",
					"USER app",
					"COPY --chown=app:app settings .",
					"RUN id -un > made && echo more >> settings",
					"CMD stat -c '%n %U:%G' made settings && id -un && cat settings && ! touch /etc/x 2>/dev/null",
				],
				settings: "some\n",
			});
			await build(["-t", `${tag}-user`, suite.context.directory]);
			expect(await run(`${tag}-user`)).toBe("made app:app\nsettings app:app\napp\nsome\nmore");
			expect(await run("--user", "0", `${tag}-user`, "id", "-u")).toBe("0");
		});

		test("an ENTRYPOINT whose default arguments are the CMD", async () => {
			const dockerfile = ["FROM busybox", 'ENTRYPOINT ["echo", "greeting:"]', 'CMD ["hello"]'];
			suite.context.write({ Dockerfile: dockerfile, Shell: ["FROM busybox", "ENTRYPOINT echo shell", "CMD lost"] });
			await build(["-t", `${tag}-entry`, suite.context.directory]);
			expect(await run(`${tag}-entry`)).toBe("greeting: hello");
			expect(await run(`${tag}-entry`, "good", "day")).toBe("greeting: good day");
			expect(await run("--entrypoint", "cat", `${tag}-entry`, "/etc/hostname")).toMatch(/^[0-9a-f]{12}$/);
			// A base image's ENTRYPOINT stays, its CMD goes with a new ENTRYPOINT.
			suite.context.write({ Dockerfile: [`FROM ${tag}-entry`, 'CMD ["bye"]'] });
			await build(["-t", `${tag}-entry2`, suite.context.directory]);
			expect(await run(`${tag}-entry2`)).toBe("greeting: bye");
			suite.context.write({ Dockerfile: [`FROM ${tag}-entry2`, 'ENTRYPOINT ["echo", "alone"]'] });
			await build(["-t", `${tag}-entry3`, suite.context.directory]);
			expect(await run(`${tag}-entry3`)).toBe("alone");
			await build(["-t", `${tag}-shell`, "-f", suite.context.path("Shell"), suite.context.directory]);
			expect(await run(`${tag}-shell`, "ignored")).toBe("shell");
		});
	});
}
