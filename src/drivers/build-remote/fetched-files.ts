import type { RemoteFiles } from "../../core/build/remote-files.ts";
import { checkOut, commitOf } from "./git-checkout.ts";
import { downloadFile } from "./http-download.ts";

/** Over HTTP, and by git. */
export class FetchedFiles implements RemoteFiles {
	readonly download = downloadFile;
	readonly checkOut = checkOut;
	readonly commitOf = commitOf;
}
