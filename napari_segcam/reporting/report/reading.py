"""How to read the report: what its figures show, what they do not show, and their sources."""

from __future__ import annotations

from napari_segcam.reporting.report.document import Bullets, Section


def reading_section() -> Section:
    """Return what a reader needs to know before trusting a heatmap."""
    return Section("reading", "How to read this report", [Bullets(_READING)])


def limits_section() -> Section:
    """Return what the report cannot show."""
    return Section("limits", "Limits", [Bullets(_LIMITS)])


def literature_section() -> Section:
    """Return the sources of the methods and of the warnings."""
    return Section("literature", "Literature", [Bullets(tuple(("", source) for source in _LITERATURE))])


_READING = (
    (
        "What a heatmap shows",
        "Grad-CAM weights the feature maps of one stage of the network by how strongly the score of a class depends "
        "on them, and keeps what counts for the class (Selvaraju 2017). For segmentation the score is the sum of "
        "the logits over a region, by default the predicted mask (Seg-Grad-CAM, Vinogradova 2020). The heatmap shows "
        "which parts of the image this stage used for this score. It does not show that the network was right, that a "
        "hot area is diseased, or that an area without heat is healthy.",
    ),
    (
        "Early, middle and late stages",
        "Early encoder stages have fine maps of edges and texture, late stages coarse maps of larger structures: one "
        "pixel of a map at stride 32 covers 32 × 32 pixels of the network's input. Do not read heat more finely than "
        "that.",
    ),
    (
        "A high ratio can be due to construction",
        "The last decoder stages repeat the mask: their heat is inside the prediction because the prediction is "
        "computed from it. A large ratio there is not evidence. The ratio for the true mask says more than that for "
        "the predicted mask.",
    ),
    (
        "Which stage to look at",
        "No depth is the best in every network: in a U-Net the deepest encoder stage often takes no part in the mask, "
        "because what shallow stages can do, deep ones do not learn (Zhang 2017). batch --evidence hides each stage in "
        "turn and measures what that costs the mask. Without it, nobody knows which stage a reader should look at.",
    ),
    (
        "Compare like with like",
        "Raw heat is in units of the score and differs between stages, methods and networks. Compare images at one "
        "stage by one method; compare stages by their ratios only.",
    ),
    (
        "Heat outside a mask",
        "It can be context (the organ around a lesion, shadowing behind it), which a good network may use, or a "
        "shortcut, such as calipers, text and the edge of the scan. The pictures show which; the ratio does not.",
    ),
    (
        "Empty and undefined",
        "If the network finds nothing of a class, there is no region to explain and no heatmap. If nothing at a stage "
        "counts for the class, the heatmap is empty. A ratio without heat outside has no denominator. All these cases "
        "are counted with their reasons, and never as 0. Means and medians are over the rest, so read the counts "
        "first.",
    ),
    (
        "Looking right is not being right",
        "Some saliency methods give the same pictures for a network with random weights (Adebayo 2018), and in medical "
        "images their localization and repeatability were poor (Arun 2021). Before heatmaps support a claim, test "
        "whether they change when weights are shuffled, and whether hiding the hot places changes the mask more than "
        "hiding others: batch --evidence does both.",
    ),
    (
        "Dice and IoU",
        "Both penalize errors in small structures more than in large ones, and say nothing about the shape of an "
        "error. Read them together with the areas and the pictures (Maier-Hein 2024).",
    ),
)

_LIMITS = (
    (
        "Research use only",
        "This report describes the behavior of a network. It is not a medical device and not a basis for the diagnosis "
        "or treatment of any patient.",
    ),
    (
        "One value per image",
        "Images of one patient are not independent, and no test of significance is made. Only the section on "
        "validation, in the report of a run with true masks, counts each patient once; it needs to know which images "
        "belong together.",
    ),
    (
        "Frames of a cine",
        "A cine counts as one image: its figures are medians over its frames, its picture is one frame.",
    ),
    (
        "Names and pixels",
        "The report contains no DICOM identifiers. File names are shown unless the report is anonymous. Text burned "
        "into the pixels, such as a patient's name, stays in the pictures: check them before you share the report.",
    ),
    (
        "Pictures",
        "They are JPEG files; each heatmap has its own scale, and for many images they are made smaller. Measure on "
        "the data, not here.",
    ),
)

_LITERATURE = (
    "Adebayo J, Gilmer J, Muelly M, Goodfellow I, Hardt M, Kim B. Sanity checks for saliency maps. Advances in Neural "
    "Information Processing Systems 31, 2018. arXiv:1810.03292.",
    "Arun N, Gaw N, Singh P, et al. Assessing the trustworthiness of saliency maps for localizing abnormalities in "
    "medical imaging. Radiology: Artificial Intelligence 2021; 3(6): e200267.",
    "Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical measurement. "
    "Lancet 1986; 327: 307–310.",
    "Dice LR. Measures of the amount of ecologic association between species. Ecology 1945; 26: 297–302.",
    "Iglewicz B, Hoaglin DC. How to detect and handle outliers. ASQC Quality Press, 1993.",
    "Jaccard P. The distribution of the flora in the alpine zone. New Phytologist 1912; 11: 37–50.",
    "Maier-Hein L, Reinke A, Godau P, et al. Metrics reloaded: recommendations for image analysis validation. Nature "
    "Methods 2024; 21: 195–212.",
    "Selvaraju RR, Cogswell M, Das A, Vedantam R, Parikh D, Batra D. Grad-CAM: visual explanations from deep networks "
    "via gradient-based localization. ICCV 2017. arXiv:1610.02391.",
    "Tukey JW. Exploratory data analysis. Addison-Wesley, 1977.",
    "Vinogradova K, Dibrov A, Myers G. Towards interpretable semantic segmentation via gradient-weighted class "
    "activation mapping. AAAI 2020. arXiv:2002.11434.",
    "Zhang L, Ji Y, Lin X. Style transfer for anime sketches with enhanced residual U-net and auxiliary classifier "
    "GAN. ACPR 2017. arXiv:1706.03319.",
)
