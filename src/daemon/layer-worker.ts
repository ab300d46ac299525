/** The program of the threads that unpack layers: a root of its own, because each thread constructs its drivers. */
import { FsContentStore } from "../drivers/content-fs/fs-content-store.ts";
import { serveLayerWork, type WorkerPort } from "../drivers/layer-fs/layer-work.ts";

serveLayerWork(globalThis as unknown as WorkerPort, (root) => new FsContentStore(root));
