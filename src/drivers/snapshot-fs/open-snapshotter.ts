import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import { unmountAll } from "../linux/mount.ts";
import { mountOverlay } from "../linux/overlay.ts";
import { OverlaySnapshotter } from "./overlay-snapshotter.ts";
import { VfsSnapshotter } from "./vfs-snapshotter.ts";

/**
 * The snapshotter for a directory: the wanted one, else the one that made what is there, else overlays where they work.
 * @param wanted `overlay2`, `vfs`, or empty
 * @throws InvalidParameterError for an unknown one, SystemError when overlays are wanted and do not work there
 */
export function openSnapshotter(root: string, wanted = ""): Snapshotter {
	mkdirSync(root, { recursive: true, mode: 0o711 });
	const path = realpathSync(root);
	const name = wanted === "" ? (readMarker(path) ?? (overlayWorks(path) ? "overlay2" : "vfs")) : wanted;
	if (name !== "overlay2" && name !== "vfs")
		throw new InvalidParameterError(`storage driver "${name}" is not supported`);
	if (name === "overlay2" && !overlayWorks(path))
		throw new SystemError(`overlayfs does not work on ${path}; use the storage driver "vfs" or another file system`);
	writeFileSync(join(path, "driver"), name);
	return name === "overlay2" ? new OverlaySnapshotter(path) : new VfsSnapshotter(path);
}

function readMarker(root: string): string | undefined {
	try {
		return readFileSync(join(root, "driver"), "utf8").trim() || undefined;
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return undefined;
		throw error;
	}
}

/** Some file systems (overlayfs itself among them) cannot hold an upper directory; the kernel tells at the mount. */
function overlayWorks(root: string): boolean {
	const directory = mkdtempSync(join(root, "probe-"));
	const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) => join(directory, name)) as [
		string,
		string,
		string,
		string,
	];
	try {
		for (const path of [lower, upper, work, merged]) mkdirSync(path);
		mountOverlay(merged, { lower: [lower], upper, work });
		return true;
	} catch {
		// Whatever the reason: not here.
		return false;
	} finally {
		unmountAll(merged);
		rmSync(directory, { recursive: true, force: true });
	}
}
