// Draws the molecule of each <canvas class="molecule"> in 3D: drag to turn, buttons to zoom, slider for frames.
// Data (attribute data-molecule, JSON): labels, colors, radii (Å), frames (positions in Å), bonds, marked.
for (const canvas of document.querySelectorAll("canvas.molecule")) {
  const data = JSON.parse(canvas.dataset.molecule), figure = canvas.parentNode;
  const slider = figure.querySelector("input[type=range]"), context = canvas.getContext("2d");
  const size = Math.max(...data.frames.map((frame) => Math.max(...frame.map((r) => Math.hypot(...r))))) + 0.8;
  let axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1]], zoom = 1, labeled = data.labels.length <= 120;

  const turn = (a, b, angle) => {  // rotates the view in the plane of screen axes a and b
    const [c, s] = [Math.cos(angle), Math.sin(angle)], [u, v] = [axes[a], axes[b]];
    axes[a] = u.map((x, k) => c * x + s * v[k]);
    axes[b] = u.map((x, k) => c * v[k] - s * x);
  };

  const draw = () => {
    const ratio = window.devicePixelRatio || 1, [width, height] = [canvas.clientWidth, canvas.clientHeight];
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const scale = (0.6 * Math.min(width, height) / size) * zoom;
    const frame = data.frames[slider ? slider.value : 0];
    const seen = frame.map((r) => axes.map((axis) => axis[0] * r[0] + axis[1] * r[1] + axis[2] * r[2]));
    const x = (r) => width / 2 + scale * r[0], y = (r) => height / 2 - scale * r[1];
    const items = seen.map((r, k) => ({ depth: r[2], draw: () => atom(r, k) }));
    const line = (from, to, color, dash) => {
      context.beginPath(); context.setLineDash(dash);
      context.moveTo(x(from), y(from)); context.lineTo(x(to), y(to));
      context.strokeStyle = color; context.lineWidth = Math.max(2, 0.12 * scale); context.stroke();
    };
    const bond = (i, j, color, dash) => {  // in two halves, each hidden by its own atom
      const middle = seen[i].map((value, k) => (value + seen[j][k]) / 2);
      for (const end of [i, j]) items.push({ depth: seen[end][2] - 0.01, draw: () => line(seen[end], middle, color, dash) });
    };
    const atom = (r, k) => {
      const radius = data.radii[k] * scale;
      const shade = context.createRadialGradient(x(r) - radius / 3, y(r) - radius / 3, radius / 8, x(r), y(r), radius);
      shade.addColorStop(0, "#fff"); shade.addColorStop(0.4, data.colors[k]); shade.addColorStop(1, data.colors[k]);
      context.beginPath(); context.arc(x(r), y(r), radius, 0, 2 * Math.PI);
      context.fillStyle = shade; context.fill();
      if (!labeled) return;
      context.font = "12px sans-serif"; context.textAlign = "center"; context.textBaseline = "middle";
      context.strokeStyle = "#fff"; context.lineWidth = 3; context.setLineDash([]);
      context.strokeText(data.labels[k], x(r), y(r));
      context.fillStyle = "#000"; context.fillText(data.labels[k], x(r), y(r));
    };
    const marked = data.marked;
    for (const [i, j] of data.bonds) {
      if (!marked || Math.min(i, j) !== Math.min(...marked) || Math.max(i, j) !== Math.max(...marked)) bond(i, j, "#8c8c8c", []);
    }
    if (marked) bond(marked[0], marked[1], "#8f2d8f", [5, 4]);
    context.clearRect(0, 0, width, height);
    items.sort((a, b) => a.depth - b.depth).forEach((item) => item.draw());
  };

  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    turn(0, 2, -0.01 * event.movementX);
    turn(1, 2, 0.01 * event.movementY);
    draw();
  });
  for (const button of figure.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      if (button.value === "labels") labeled = !labeled;
      else zoom *= Number(button.value);
      draw();
    });
  }
  if (slider) slider.addEventListener("input", draw);
  window.addEventListener("resize", draw);
  draw();
}
