// A sample site: a page, a minute of sound, and a folder without an index page.
"use strict";

function sample() {
  const text = (name, content) => [name, new File([content], name.split("/").at(-1))];
  return new FileTree([
    text("index.html", SAMPLE_PAGE),
    text("texts/one.txt", "Ranges work on text, too: request bytes=7-11 of this file.\n"),
    text("texts/two.txt", "This folder has no index.html, so it is listed.\n"),
    ["scale.wav", new File([scale()], "scale.wav")],
  ]);
}

// A scale with one note per second, for a minute, as 8-bit WAV at 8 kHz.
function scale(seconds = 60, rate = 8000) {
  const length = seconds * rate;
  const wave = new DataView(new ArrayBuffer(44 + length));
  const text = (at, text) => [...text].forEach((char, n) => wave.setUint8(at + n, char.charCodeAt()));
  text(0, "RIFF");
  wave.setUint32(4, 36 + length, true);
  text(8, "WAVEfmt ");
  wave.setUint32(16, 16, true); // length of the format:
  wave.setUint16(20, 1, true); // PCM,
  wave.setUint16(22, 1, true); // one channel,
  wave.setUint32(24, rate, true);
  wave.setUint32(28, rate, true); // one byte per sample,
  wave.setUint16(32, 1, true);
  wave.setUint16(34, 8, true);
  text(36, "data");
  wave.setUint32(40, length, true);
  const steps = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2];
  for (let at = 0; at < length; at++) {
    const [second, fraction] = [Math.floor(at / rate), (at % rate) / rate];
    const pitch = 262 * 2 ** (steps[second % steps.length] / 12);
    const volume = Math.min(1, fraction * 50) * (1 - fraction) ** 2;
    wave.setUint8(44 + at, 128 + 100 * volume * Math.sin((2 * Math.PI * pitch * at) / rate));
  }
  return wave.buffer;
}

const SAMPLE_PAGE = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A sample</title>
<style>
  :root { color-scheme: light dark; font: 1.1rem/1.6 system-ui, sans-serif }
  body { max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem }
  audio { width: 100% }
</style>
<h1>A site in a tab</h1>
<p>This page came from a Service Worker; there is no server behind it. The sound below is a minute
long: drag its slider, and the log in the other tab shows that the browser requests only a part.</p>
<p><audio controls preload="metadata" src="scale.wav"></audio></p>
<p>A folder without an index page is <a href="texts/">listed</a>, and a
<a href="nowhere">missing file</a> gets a 404.</p>
`;
