// The lines between panes: dragged, moved by keys, remembered, and nothing gets out of reach.

import assert from "node:assert/strict";

import { playTest } from "./page.mjs";

const width = (page, pane) => page.locator(pane).evaluate((element) => element.getBoundingClientRect().width);
const height = (page, pane) => page.locator(pane).evaluate((element) => element.getBoundingClientRect().height);

playTest("a line is dragged, and the page remembers", {}, async ({ play, page }) => {
  const before = await width(page, ".source");
  const box = await play.at("split-left").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + 200];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 60, y, { steps: 4 });
  await page.mouse.move(x + 120, y, { steps: 4 });
  await page.mouse.up();
  const wider = await width(page, ".source");
  assert.ok(Math.abs(wider - before - 120) < 12, `${before} became ${wider}`);
  // Let go is let go.
  await page.mouse.move(x - 100, y);
  assert.equal(await width(page, ".source"), wider);
  await page.reload();
  await play.ready();
  await play.eventually(() => width(page, ".source"), wider);
  await play.at("split-left").dblclick();
  await play.eventually(() => width(page, ".source"), before);
});

playTest("every line is moved by keys, within its limits", {}, async ({ play, page }) => {
  for (const [name, pane, grow, size] of [
    ["left", ".source", "ArrowRight", width],
    ["right", ".machine", "ArrowLeft", width],
    ["source", ".source", "ArrowDown", height],
    ["machine", ".machine", "ArrowDown", height],
  ]) {
    const line = play.at(`split-${name}`);
    await line.focus();
    const value = () => line.getAttribute("aria-valuenow").then(Number);
    const [start, before] = [await value(), await size(page, pane)];
    await page.keyboard.press(grow);
    await play.eventually(value, start + 20, name);
    assert.ok((await size(page, pane)) > before, name);
    await page.keyboard.press("End");
    await play.eventually(value, Number(await line.getAttribute("aria-valuemax")), name);
    await page.keyboard.press("Home");
    await play.eventually(value, Number(await line.getAttribute("aria-valuemin")), name);
    assert.ok((await size(page, pane)) > 60, `${name}: something is left of the pane`);
    await page.keyboard.press("Enter");
    await play.eventually(value, start, name);
  }
});

playTest("on a small laptop the two columns have a line", { size: "middle" }, async ({ play, page }) => {
  const before = await width(page, ".source");
  await play.at("split-narrow").focus();
  await page.keyboard.press("ArrowRight");
  await play.eventually(async () => (await width(page, ".source")) > before, true);
  assert.equal(await play.at("split-left").isVisible(), false);
});

playTest("a wide window gives the packet room for bytes beside fields", {}, async ({ page }) => {
  const bytes = await page.locator(".packet-bytes").boundingBox();
  const rest = await page.locator(".packet-rest").boundingBox();
  assert.ok(rest.x >= bytes.x + bytes.width - 1, "side by side");
  assert.ok(bytes.height > 300, `the bytes are ${bytes.height} high`);
});

playTest("on a small laptop each pane has a line to its neighbour", { size: "middle" }, async ({ play, page }) => {
  for (const [name, above, below] of [
    ["narrow-source", ".source", ".machine"],
    ["narrow-program", ".program", ".capture"],
    ["narrow-capture", ".capture", ".dock"],
  ]) {
    const line = play.at(`split-${name}`);
    const [before, under] = [await height(page, above), await height(page, below)];
    const box = await line.boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x, y + 20, { steps: 3 });
    await page.mouse.move(x, y + 40, { steps: 3 });
    await page.mouse.up();
    const grown = async () => Math.abs((await height(page, above)) - before - 40) < 16;
    await play.eventually(grown, true, `${name}: ${above} of ${before}`);
    assert.ok((await height(page, below)) < under, `${name}: ${below} of ${under}`);
    await line.focus();
    for (const key of ["End", "Home"]) {
      await page.keyboard.press(key);
      const end = Number(await line.getAttribute(key === "End" ? "aria-valuemax" : "aria-valuemin"));
      await play.eventually(() => line.getAttribute("aria-valuenow").then(Number), end, name);
      for (const pane of [above, below]) assert.ok((await height(page, pane)) > 60, `${name} at its ${key}: ${pane}`);
    }
    await line.dblclick();
    await play.eventually(() => height(page, above), before, name);
  }
});
