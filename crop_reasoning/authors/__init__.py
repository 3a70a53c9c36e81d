"""Those who write rationales: from boxes alone, from measures, or a large model as teacher; how varied they are."""
