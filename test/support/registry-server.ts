/** A registry process of its own, for tests of its protocol and of its deaths. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "../../src/main.ts");

export interface RegistryProcess extends AsyncDisposable {
	/** `http://127.0.0.1:<port>`, without a slash at the end. */
	readonly url: string;
	readonly host: string;
	readonly root: string;
	readonly pid: number;
	readonly exited: Promise<number>;
	/** What it logged so far. */
	log(): string;
	/** Ends it by this signal and waits; the root stays. */
	end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts on a free port; on a new root unless `root` is given. */
export async function startRegistry(flags: readonly string[] = [], root?: string): Promise<RegistryProcess> {
	const directory = root ?? mkdtempSync(join(tmpdir(), "gantry-registry-"));
	const argv = [process.execPath, MAIN, "registry", "serve", "--root", directory, "--addr", "127.0.0.1:0", ...flags];
	const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
	const output = { text: "" };
	const { promise: serving, resolve } = Promise.withResolvers<string>();
	const reading = (async () => {
		for await (const piece of child.stderr) {
			output.text += Buffer.from(piece).toString();
			const address = /is serving" address=(\S+)/.exec(output.text)?.[1];
			if (address !== undefined) resolve(address);
		}
	})();
	const address = await Promise.race([serving, child.exited.then(() => undefined)]);
	if (address === undefined) {
		await reading;
		throw new Error(`the registry did not start: ${output.text}`);
	}
	const end = async (signal: NodeJS.Signals) => {
		child.kill(signal);
		await child.exited;
		await reading;
	};
	return {
		url: `${flags.includes("--tls-cert") ? "https" : "http"}://${address}`,
		host: address,
		root: directory,
		pid: child.pid,
		exited: child.exited,
		log: () => output.text,
		end,
		async [Symbol.asyncDispose]() {
			await end("SIGTERM");
			if (root === undefined) rmSync(directory, { recursive: true, force: true });
		},
	};
}

export function digestOf(bytes: Uint8Array | string): string {
	return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Pushes a blob in one go. @returns its digest */
export async function pushBlob(
	url: string,
	name: string,
	bytes: Uint8Array | string,
	init: RequestInit = {},
): Promise<string> {
	const digest = digestOf(bytes);
	const response = await fetch(`${url}/v2/${name}/blobs/uploads/?digest=${digest}`, {
		...init,
		method: "POST",
		body: bytes,
	});
	if (response.status !== 201) throw new Error(`pushing a blob: ${response.status} ${await response.text()}`);
	return digest;
}

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** An image of one random layer. @returns the manifest's text and digest */
export async function pushImage(
	url: string,
	name: string,
	reference: string | undefined,
	extra: Readonly<Record<string, unknown>> = {},
	init: RequestInit = {},
) {
	const layer = randomBytes(1000);
	const config = JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [] } });
	const descriptor = async (bytes: Uint8Array | string, mediaType: string) => ({
		mediaType,
		digest: await pushBlob(url, name, bytes, init),
		size: bytes.length,
	});
	const manifest = JSON.stringify({
		schemaVersion: 2,
		mediaType: OCI_MANIFEST,
		config: await descriptor(config, "application/vnd.oci.image.config.v1+json"),
		layers: [await descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
		...extra,
	});
	const response = await putManifest(url, name, reference ?? digestOf(manifest), manifest, OCI_MANIFEST, init);
	if (response.status !== 201) throw new Error(`pushing a manifest: ${response.status} ${await response.text()}`);
	return { text: manifest, digest: digestOf(manifest), layer: digestOf(layer), config: digestOf(config), response };
}

export async function putManifest(
	url: string,
	name: string,
	reference: string,
	text: string,
	mediaType: string,
	init: RequestInit = {},
): Promise<Response> {
	const headers = new Headers(init.headers);
	headers.set("Content-Type", mediaType);
	return await fetch(`${url}/v2/${name}/manifests/${reference}`, { ...init, method: "PUT", headers, body: text });
}

/** The first error code of an answer. */
export async function errorCode(response: Response): Promise<string> {
	const body: { errors?: { code: string }[] } = JSON.parse(await response.text());
	return body.errors?.[0]?.code ?? "";
}
