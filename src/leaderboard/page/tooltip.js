// One tooltip a chart, for pointer and keyboard; the arrow keys walk through a chart's points.

function tooltip(box) {
  const node = el("div", { class: "tooltip", role: "status", hidden: true });
  box.append(node);
  return {
    show(lines, x, y) {
      node.replaceChildren(...lines.map((line, index) => el(index ? "div" : "strong", null, line)));
      node.hidden = false;
      const left = Math.min(Math.max(0, x + 12), box.clientWidth - node.offsetWidth);
      const above = y - node.offsetHeight - 12;
      styled(node, { left: `${left}px`, top: `${above < 0 ? y + 14 : above}px` });
    },
    hide() {
      node.hidden = true;
    },
  };
}

// Makes marks answer to hover, focus, arrow keys, click and Enter.
function interactive(points, tip) {
  points.forEach((point, index) => {
    const { node } = point;
    const enter = () => {
      tip.show(point.lines, point.x, point.y);
      highlight(point.arm, point.row);
    };
    const leave = () => {
      tip.hide();
      highlight(null);
    };
    node.setAttribute("tabindex", index ? "-1" : "0");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", point.lines.join("; "));
    node.addEventListener("mouseenter", enter);
    node.addEventListener("focus", enter);
    node.addEventListener("mouseleave", leave);
    node.addEventListener("blur", leave);
    node.addEventListener("click", point.opens);
    node.addEventListener("keydown", (event) => walk(event, points, index));
  });
}

function walk(event, points, index) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  if (event.key === "Enter" || event.key === " ") points[index].opens();
  else if (event.key in steps) points[(index + steps[event.key] + points.length) % points.length].node.focus();
  else return;
  event.preventDefault();
}
