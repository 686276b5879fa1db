import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { transformSync } from "esbuild";

test("the module is at most 4 KB, minified and gzipped", () => {
  const text = readFileSync(new URL("../live.js", import.meta.url), "utf8");
  const { code } = transformSync(text, { minify: true, format: "esm" });
  const size = gzipSync(code, { level: 9 }).length;
  assert.ok(size <= 4096, `${size} bytes`);
});
