// Lists the contrast of each piece of visible text to its background (WCAG 2.2, "contrast ratio"). Colours are read back
// from a canvas, which understands whatever a style sheet may say.
(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});

	// paint returns what a colour looks like on another one.
	const paint = (color, under) => {
		canvas.fillStyle = `rgb(${under.join(" ")})`;
		canvas.fillRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
	};

	const behind = element =>
		element ? paint(getComputedStyle(element).backgroundColor, behind(element.parentElement)) : [255, 255, 255];

	const luminance = color => {
		const [r, g, b] = color.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};

	const ratio = (a, b) => {
		const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
		return (light + 0.05) / (dark + 0.05);
	};

	const found = [];
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const text = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
		if (!text || !element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) {
			continue;
		}
		const under = behind(element);
		found.push({text: text.slice(0, 40), ratio: ratio(paint(getComputedStyle(element).color, under), under)});
	}
	return found;
})()
