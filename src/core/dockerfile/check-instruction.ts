/** What is wrong with an instruction whatever it is run on, seen once its variables are in. */
import { InvalidParameterError } from "../../base/errors.ts";
import { parseSignal } from "../container/signals.ts";
import { parseModeChange } from "./mode-change.ts";
import { gitSource, isRemoteSource } from "./remote-source.ts";
import type { AddInstruction, CopyInstruction, StageInstruction } from "./syntax.ts";

const HTTP_CHECKSUM = /^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;
const COMMIT = /^[0-9a-f]{7,64}$/;

/** @throws InvalidParameterError without a place */
export function checkInstruction(expanded: StageInstruction): void {
	switch (expanded.kind) {
		case "copy":
		case "add":
			checkFiles(expanded);
			break;
		case "stopsignal":
			parseSignal(expanded.signal);
			break;
		case "volume":
			if (expanded.paths.includes("")) throw new InvalidParameterError("VOLUME specified can not be an empty string");
			break;
		default:
	}
}

function checkFiles(expanded: CopyInstruction | AddInstruction): void {
	if (expanded.chmod !== undefined && expanded.chmod !== "") parseModeChange(expanded.chmod);
	if (expanded.kind === "add") checkChecksum(expanded);
	else
		for (const source of expanded.sources)
			if (isRemoteSource(source))
				throw new InvalidParameterError(
					gitSource(source) === undefined
						? "source can't be a URL for COPY, use ADD"
						: "source can't be a git ref for COPY, use ADD",
				);
}

function checkChecksum({ checksum = "", sources: [source = "", ...others] }: AddInstruction): void {
	if (checksum === "") return;
	if (others.length > 0) throw new InvalidParameterError("checksum can't be specified for multiple sources");
	if (!isRemoteSource(source)) throw new InvalidParameterError("checksum requires HTTP(S) or Git sources");
	const format = gitSource(source) === undefined ? HTTP_CHECKSUM : COMMIT;
	if (!format.test(checksum)) throw new InvalidParameterError(`invalid checksum: ${checksum}`);
}
