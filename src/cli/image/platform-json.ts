import { parsePlatform } from "../../core/image/platform.ts";

/** `--platform` as the API takes it; undefined for "". @throws InvalidParameterError */
export function platformJson(text: string): string | undefined {
	return text === "" ? undefined : JSON.stringify(parsePlatform(text));
}
