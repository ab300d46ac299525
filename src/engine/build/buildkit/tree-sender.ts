import { PACKET, PACKET_TYPES } from "../../../api/buildkit/session.ts";
import { InvalidParameterError } from "../../../base/errors.ts";
import { modeOf } from "../../../core/build/buildkit/file-mode.ts";
import type { SessionCall } from "../../../core/build/buildkit/session-caller.ts";
import type { TreeEntry, TreeWalk } from "../../../core/build/tree-walk.ts";
import type { NamedTree } from "../../../core/diff/archiver.ts";

/** Of a file, in one message. */
const PIECE_BYTES = 32 * 1024;

/** Sends a tree into a directory of the client's: it is told what there is, and asks for the files that it does not have. */
export class TreeSender {
	/** By the number that the client knows them by. */
	readonly #files = new Map<number, { readonly root: string; readonly path: string }>();
	#count = 0;
	#sentBytes = 0;

	constructor(
		private readonly call: SessionCall,
		private readonly walk: TreeWalk,
		/** In the order of their names. */
		private readonly trees: readonly NamedTree[],
	) {}

	/** @throws what the client says has gone wrong. @param onProgress hears how many bytes of files were sent */
	async send(onProgress: (sentBytes: number) => void): Promise<void> {
		try {
			await Promise.all([this.#list(), this.#answer(onProgress)]);
		} finally {
			this.call.cancel();
		}
	}

	async #list(): Promise<void> {
		for (const { name, root } of this.trees.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
			if (name !== "") await this.#tell({ ...DIRECTORY, path: name });
			for await (const entry of this.walk.entries(root)) {
				if (entry.kind === "file") this.#files.set(this.#count, { root, path: entry.path });
				await this.#tell(name === "" ? entry : { ...entry, path: `${name}/${entry.path}` });
			}
		}
		await this.call.send(PACKET.encode({ type: PACKET_TYPES.stat }));
	}

	async #tell(entry: TreeEntry): Promise<void> {
		this.#count++;
		await this.call.send(PACKET.encode({ type: PACKET_TYPES.stat, stat: statOf(entry) }));
	}

	async #answer(onProgress: (sentBytes: number) => void): Promise<void> {
		for await (const message of this.call.messages) {
			const { type, id, data } = PACKET.decode(message);
			switch (type) {
				case PACKET_TYPES.request:
					await this.#sendFile(id);
					onProgress(this.#sentBytes);
					break;
				case PACKET_TYPES.end:
					await this.call.send(PACKET.encode({ type: PACKET_TYPES.end }));
					this.call.end();
					break;
				case PACKET_TYPES.error:
					throw new InvalidParameterError(`error from receiver: ${Buffer.from(data).toString()}`);
				default:
					throw new InvalidParameterError("unexpected packet in the transfer of the result");
			}
		}
	}

	async #sendFile(id: number): Promise<void> {
		const file = this.#files.get(id);
		if (file === undefined) throw new InvalidParameterError(`invalid file id ${id}`);
		for await (const bytes of this.walk.read(file.root, file.path))
			for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
				const data = bytes.subarray(at, at + PIECE_BYTES);
				this.#sentBytes += data.length;
				await this.call.send(PACKET.encode({ type: PACKET_TYPES.data, id, data }));
			}
		await this.call.send(PACKET.encode({ type: PACKET_TYPES.data, id }));
	}
}

/** What has the tree of one platform. */
const DIRECTORY: Omit<TreeEntry, "path"> = {
	kind: "directory",
	permissions: 0o755,
	uid: 0,
	gid: 0,
	sizeBytes: 0,
	modifiedNs: 0n,
	target: "",
	device: { major: 0, minor: 0 },
};

function statOf({ path, kind, permissions, uid, gid, sizeBytes, modifiedNs, target, device }: TreeEntry) {
	return {
		path,
		mode: modeOf(kind, permissions),
		uid,
		gid,
		size: sizeBytes,
		modifiedNs,
		linkName: target,
		deviceMajor: device.major,
		deviceMinor: device.minor,
		xattrs: new Map(),
	};
}
