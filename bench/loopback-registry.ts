/** docker-registry (Debian's package) on the loopback interface of each engine's network namespace, all on the same files. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Blob, type ImageVariant, partChunks } from "./transfer-images.ts";

/** The same in every namespace, and another one for each benchmark that runs on the machine. */
const PORT = 20_000 + (process.pid % 10_000);
export const REGISTRY = `127.0.0.1:${PORT}`;
const START_LIMIT_MS = 10_000;

export class LoopbackRegistry implements AsyncDisposable {
	readonly #processes: Bun.Subprocess[] = [];

	/** @param namespaces paths; undefined for the benchmark's own, which is always among them. @throws Error when it does not start */
	static async start(directory: string, namespaces: ReadonlySet<string | undefined>): Promise<LoopbackRegistry> {
		if (Bun.which("docker-registry") === null)
			throw new Error("Pulls and pushes need a registry: apt-get install docker-registry");
		const registry = new LoopbackRegistry();
		const data = join(directory, "registry");
		const config = join(directory, "registry.json");
		mkdirSync(data, { recursive: true });
		const storage = { filesystem: { rootdirectory: data } };
		writeFileSync(
			config,
			JSON.stringify({ version: "0.1", log: { level: "error" }, storage, http: { addr: REGISTRY } }),
		);
		for (const namespace of new Set([undefined, ...namespaces])) {
			const prefix = namespace === undefined ? [] : ["nsenter", `--net=${namespace}`];
			const argv = [...prefix, "docker-registry", "serve", config];
			registry.#processes.push(Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }));
		}
		await registry.#answers();
		return registry;
	}

	/** Puts an image there, past every engine. */
	async publish(repository: string, tag: string, variant: ImageVariant): Promise<void> {
		for (const blob of variant.blobs) await this.#upload(repository, blob);
		await this.#request(`/v2/${repository}/manifests/${tag}`, {
			method: "PUT",
			headers: { "Content-Type": variant.mediaType },
			body: Buffer.from(variant.manifest),
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const child of this.#processes) child.kill();
		await Promise.all(this.#processes.map((child) => child.exited));
	}

	async #upload(repository: string, { digest, parts }: Blob): Promise<void> {
		const start = await this.#request(`/v2/${repository}/blobs/uploads/`, { method: "POST" });
		const target = new URL(start.headers.get("location") ?? "", `http://${REGISTRY}`);
		target.searchParams.set("digest", digest);
		const headers = { "Content-Type": "application/octet-stream" };
		await this.#request(target.href, { method: "PUT", headers, body: partChunks(parts) as unknown as ReadableStream });
	}

	async #request(target: string, init: RequestInit): Promise<Response> {
		const response = await fetch(new URL(target, `http://${REGISTRY}`), init);
		if (!response.ok) throw new Error(`${init.method} ${target}: ${response.status} ${await response.text()}`);
		return response;
	}

	async #answers(): Promise<void> {
		const deadline = performance.now() + START_LIMIT_MS;
		for (;;) {
			try {
				await this.#request("/v2/", { method: "GET" });
				return;
			} catch (error) {
				if (performance.now() > deadline || this.#processes.some(({ exitCode }) => exitCode !== null)) throw error;
				await Bun.sleep(50);
			}
		}
	}
}
