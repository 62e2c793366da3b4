package model

import "strings"

// Device calls a browser as its owner would, "Safari on an iPhone", from what it
// says of itself (User-Agent, RFC 9110 §10.1.5). Only what most people have is
// known by name; what is not is "a browser". Anybody can claim to be any, so it
// helps to recognise one's own and proves nothing.
func Device(agent string) string {
	browser, system := "", ""
	for _, known := range browsers {
		if strings.Contains(agent, known[0]) {
			browser = known[1]
			break
		}
	}
	for _, known := range systems {
		if strings.Contains(agent, known[0]) {
			system = known[1]
			break
		}
	}
	// Since iPadOS 13 an iPad says that it is a Mac. What Chrome and Firefox are
	// called on iOS gives it away; with Safari nothing does.
	if system == "a Mac" {
		switch {
		case strings.Contains(agent, "CriOS/"), strings.Contains(agent, "FxiOS/"), strings.Contains(agent, "EdgiOS/"):
			system = "an iPad"
		case browser == "Safari":
			system = "a Mac or iPad"
		}
	}
	if browser == "" {
		browser = "a browser"
	}
	if system == "" {
		return browser
	}
	return browser + " on " + system
}

// The first that is found counts: the later ones stand in the words of the
// earlier ones too.
var (
	browsers = [][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"Opera", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"}, {"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
		{"FBAN/", "the Facebook app"}, {"FBAV/", "the Facebook app"}, {"Instagram", "the Instagram app"},
		{"; wv)", ""}, // the inside of some app
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"GSA/", "the Google app"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Chromium/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "an iPhone"}, {"iPad", "an iPad"}, {"Android", "Android"}, {"CrOS", "a Chromebook"},
		{"Windows Phone", "a Windows phone"}, {"Windows", "Windows"}, {"Macintosh", "a Mac"}, {"Linux", "Linux"},
	}
)
