// Direct labels that keep clear of the marks and of each other.

const LETTER = 6.1;
const LINE = 12;

class Labels {
  constructor(frame) {
    this.frame = frame;
    this.taken = [];
  }

  block(x, y, radius) {
    this.taken.push({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });
  }

  free(box) {
    const { left, right, top, bottom } = this.frame.plot;
    if (box.left < left || box.right > right || box.top < top - 6 || box.bottom > bottom) return false;
    return this.taken.every(
      (other) => box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom,
    );
  }

  // The first free of eight places around the point; without one the label is left out.
  add(text, x, y, style) {
    const width = text.length * LETTER;
    for (const gap of [7, 16]) {
      for (const [dx, dy] of [
        [1, -1],
        [-1, -1],
        [1, 1],
        [-1, 1],
        [1, 0],
        [-1, 0],
        [0, -1],
        [0, 1],
      ]) {
        const left = dx > 0 ? x + gap : dx < 0 ? x - gap - width : x - width / 2;
        const top = dy > 0 ? y + gap - 3 : dy < 0 ? y - gap - LINE + 3 : y - LINE / 2;
        const box = { left, right: left + width, top, bottom: top + LINE };
        if (!this.free(box)) continue;
        this.taken.push(box);
        this.frame.root.append(svg("text", { class: style, x: left, y: top + LINE - 2.5 }, text));
        return true;
      }
    }
    return false;
  }
}
