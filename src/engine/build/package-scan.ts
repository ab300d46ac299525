import { errorKind } from "../../base/errors.ts";
import { Pacer } from "../../base/pacer.ts";
import type { BuildFiles } from "../../core/build/build-directories.ts";
import {
	distributionId,
	type InstalledPackage,
	parseApkInstalled,
	parseDpkgStatus,
	parseNpmPackage,
	parsePythonMetadata,
} from "../../core/build/sbom/package-databases.ts";
import type { PackageInventory } from "../../core/build/sbom/spdx.ts";

type Files = Pick<BuildFiles, "readFile" | "list">;

const DATABASE_LIMIT_BYTES = 64 << 20;
const METADATA_LIMIT_BYTES = 4 << 20;
/** More than any image has; a tree that claims so is not followed any further. */
const PACKAGE_LIMIT = 50_000;
const NPM_DEPTH_LIMIT = 16;
const LIBRARY_ROOTS = ["/usr/lib", "/usr/local/lib"];

/** Looks into a tree for what package managers have installed. What cannot be read counts as not there. */
export class PackageScan {
	readonly #packages: InstalledPackage[] = [];
	readonly #pacer = new Pacer();

	constructor(
		private readonly files: Files,
		private readonly root: string,
		private readonly signal: AbortSignal,
	) {}

	/** @param workingDirectory of the image: an application's own packages are often there */
	async run(workingDirectory: string): Promise<PackageInventory> {
		const osRelease = this.#read("/etc/os-release") ?? this.#read("/usr/lib/os-release") ?? "";
		await this.#database("/var/lib/dpkg/status", parseDpkgStatus);
		for (const name of this.#list("/var/lib/dpkg/status.d"))
			if (!name.endsWith(".md5sums")) await this.#database(`/var/lib/dpkg/status.d/${name}`, parseDpkgStatus);
		for (const path of ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"]) {
			const found = this.#packages.length;
			await this.#database(path, parseApkInstalled);
			// One may be a link to the other.
			if (this.#packages.length > found) break;
		}
		const home = workingDirectory.replace(/\/+$/, "");
		for (const library of [...LIBRARY_ROOTS, `${home}/.venv/lib`, `${home}/venv/lib`]) await this.#python(library);
		for (const library of LIBRARY_ROOTS) await this.#npm(`${library}/node_modules`, 0);
		await this.#npm(`${home}/node_modules`, 0);
		return { packages: this.#packages, distribution: distributionId(osRelease) };
	}

	async #python(library: string): Promise<void> {
		for (const version of this.#list(library).filter((name) => /^python\d[\d.]*$/.test(name)))
			for (const packages of ["site-packages", "dist-packages"]) {
				const directory = `${library}/${version}/${packages}`;
				for (const name of this.#list(directory)) {
					if (name.endsWith(".dist-info")) await this.#database(`${directory}/${name}/METADATA`, parsePythonMetadata);
					if (name.endsWith(".egg-info")) await this.#database(`${directory}/${name}/PKG-INFO`, parsePythonMetadata);
				}
			}
	}

	async #npm(directory: string, depth: number): Promise<void> {
		if (depth > NPM_DEPTH_LIMIT) return;
		for (const name of this.#list(directory)) {
			if (name.startsWith(".") || this.#packages.length >= PACKAGE_LIMIT) continue;
			const path = `${directory}/${name}`;
			if (name.startsWith("@")) await this.#npm(path, depth + 1);
			else {
				await this.#database(`${path}/package.json`, parseNpmPackage);
				await this.#npm(`${path}/node_modules`, depth + 1);
			}
		}
	}

	async #database(path: string, parse: (text: string, foundIn: string) => InstalledPackage[]): Promise<void> {
		await this.#pacer.pause();
		this.signal.throwIfAborted();
		const room = PACKAGE_LIMIT - this.#packages.length;
		if (room <= 0) return;
		const limit =
			parse === parseDpkgStatus || parse === parseApkInstalled ? DATABASE_LIMIT_BYTES : METADATA_LIMIT_BYTES;
		const text = this.#read(path, limit);
		if (text !== undefined) for (const found of parse(text, path).slice(0, room)) this.#packages.push(found);
	}

	#read(path: string, limit = METADATA_LIMIT_BYTES): string | undefined {
		const bytes = tolerant(() => this.files.readFile(this.root, path, limit));
		return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
	}

	#list(path: string): readonly string[] {
		return tolerant(() => this.files.list(this.root, path)) ?? [];
	}
}

/** Too large, or a loop of symlinks: the image's own fault, and no reason not to build it. */
function tolerant<T>(work: () => T): T | undefined {
	try {
		return work();
	} catch (error) {
		if (errorKind(error) === "invalid-parameter") return undefined;
		throw error;
	}
}
