/** Other people's registry tools, from Debian: installed when they are missing and can be. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun } from "./commands.ts";

const PACKAGES = ["skopeo", "podman", "buildah", "docker-registry"] as const;

/** @returns why the programs cannot be had, undefined when they are there */
export function installPeers(packages: readonly string[] = PACKAGES): string | undefined {
	const missing = packages.filter((name) => Bun.which(name) === null);
	if (missing.length === 0) return undefined;
	if (process.getuid?.() !== 0) return `${missing.join(", ")} missing, and only root can install them`;
	const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
	const apt = (...args: string[]) =>
		Bun.spawnSync(["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", ...args], {
			env,
			stdout: "ignore",
			stderr: "pipe",
		});
	apt("update");
	const result = apt("install", "-y", "--no-install-recommends", ...missing);
	if (result.success && missing.every((name) => Bun.which(name) !== null)) return undefined;
	return `${missing.join(", ")} cannot be installed: ${result.stderr.toString().trim().split("\n").at(-1)}`;
}

export async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

export interface PeerRegistry extends AsyncDisposable {
	readonly host: string;
	readonly url: string;
	readonly root: string;
}

/** Debian's docker-registry on a port and a root of its own. @param lines more of its configuration */
export async function startDockerRegistry(lines: readonly string[] = []): Promise<PeerRegistry> {
	const root = mkdtempSync(join(tmpdir(), "gantry-docker-registry-"));
	const host = `127.0.0.1:${await freePort()}`;
	const config = [
		"version: 0.1",
		"log: {level: error, accesslog: {disabled: true}}",
		`storage: {filesystem: {rootdirectory: ${root}/data}, delete: {enabled: true}}`,
		`http: {addr: "${host}"}`,
		...lines,
	];
	writeFileSync(join(root, "config.yml"), config.join("\n"));
	const child = Bun.spawn(["docker-registry", "serve", join(root, "config.yml")], {
		stdout: "ignore",
		stderr: "ignore",
	});
	const url = `http://${host}`;
	const isThere = async () => (await fetch(`${url}/v2/`).catch(() => undefined)) !== undefined;
	while (!(await isThere())) {
		if (child.exitCode !== null) throw new Error(`docker-registry ended with code ${child.exitCode}`);
		await Bun.sleep(25);
	}
	return {
		host,
		url,
		root,
		async [Symbol.asyncDispose]() {
			child.kill();
			await child.exited;
			rmSync(root, { recursive: true, force: true });
		},
	};
}

/** `skopeo copy` between registries of this machine, or layouts. */
export async function skopeoCopy(from: string, to: string, ...flags: string[]): Promise<void> {
	const argv = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
	await mustRun([...argv, ...flags, from, to]);
}

/** The manifest that a name stands for, byte for byte. */
export async function skopeoRaw(reference: string): Promise<string> {
	return await mustRun(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${reference}`]);
}
