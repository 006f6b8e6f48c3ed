"""What we know of the world's countries, cities, waters and mountains. Written for this project.

One row a line, columns parted by `|`; `-` where there is no single right answer. Several right answers are
parted by commas: the first is the one we teach, the others are never offered as wrong answers.
"""

# name | capital | continent | currency | official language | neighbours
COUNTRIES = """
Afghanistan|Kabul|Asia|afghani|-|Iran,Pakistan,Tajikistan,Turkmenistan,Uzbekistan,China
Albania|Tirana|Europe|lek|Albanian|Greece,Montenegro,North Macedonia
Algeria|Algiers|Africa|dinar|Arabic|Tunisia,Libya,Niger,Mali,Mauritania,Morocco
Angola|Luanda|Africa|kwanza|Portuguese|Namibia,Zambia
Argentina|Buenos Aires|South America|peso|Spanish|Chile,Bolivia,Paraguay,Brazil,Uruguay
Armenia|Yerevan|-|dram|Armenian|Georgia,Turkey,Iran,Azerbaijan
Australia|Canberra|-|dollar|English|-
Austria|Vienna|Europe|euro|German|Germany,Italy,Hungary,Slovenia,Slovakia,Switzerland
Azerbaijan|Baku|-|manat|Azerbaijani|-
the Bahamas|Nassau|North America|dollar|English|-
Bahrain|Manama|Asia|dinar|Arabic|-
Bangladesh|Dhaka|Asia|taka|Bengali|India,Myanmar
Barbados|Bridgetown|North America|dollar|English|-
Belarus|Minsk|Europe|ruble|-|Poland,Ukraine,Russia,Latvia,Lithuania
Belgium|Brussels|Europe|euro|Dutch,French,German|France,Germany,the Netherlands,Luxembourg
Belize|Belmopan|North America|dollar|English|Mexico,Guatemala
Benin|Porto-Novo|Africa|franc|French|Togo,Nigeria,Niger
Bhutan|Thimphu|Asia|ngultrum|Dzongkha|India,China
Bolivia|-|South America|boliviano|Spanish|Peru,Chile,Argentina,Paraguay,Brazil
Bosnia and Herzegovina|Sarajevo|Europe|mark|-|Croatia,Serbia,Montenegro
Botswana|Gaborone|Africa|pula|English|Namibia,South Africa,Zimbabwe,Zambia
Brazil|Brasilia|South America|real|Portuguese|Argentina,Peru,Colombia,Bolivia,Paraguay,Uruguay,Venezuela,Guyana,Suriname
Brunei|Bandar Seri Begawan|Asia|dollar|Malay|Malaysia
Bulgaria|Sofia|Europe|euro|Bulgarian|Romania,Greece,Turkey,Serbia,North Macedonia
Burkina Faso|Ouagadougou|Africa|franc|-|Mali,Niger,Ghana,Togo,Benin,the Ivory Coast
Burundi|Gitega|Africa|franc|Kirundi,French,English|Rwanda,Tanzania
Cambodia|Phnom Penh|Asia|riel|Khmer|Thailand,Vietnam,Laos
Cameroon|Yaounde|Africa|franc|French,English|Nigeria,Chad,Gabon
Canada|Ottawa|North America|dollar|English,French|the United States
Cape Verde|Praia|Africa|escudo|Portuguese|-
Chad|N'Djamena|Africa|franc|French,Arabic|Libya,Niger,Nigeria,Cameroon,Sudan
Chile|Santiago|South America|peso|Spanish|Argentina,Peru,Bolivia
China|Beijing|Asia|yuan|Chinese,Mandarin|Mongolia,India,Nepal,Vietnam,Russia,Kazakhstan,Pakistan,Laos,Myanmar,Bhutan,North Korea,Afghanistan,Tajikistan,Kyrgyzstan
Colombia|Bogota|South America|peso|Spanish|Venezuela,Ecuador,Peru,Brazil,Panama
Costa Rica|San Jose|North America|colon|Spanish|Panama,Nicaragua
Croatia|Zagreb|Europe|euro|Croatian|Slovenia,Hungary,Serbia,Bosnia and Herzegovina,Montenegro
Cuba|Havana|North America|peso|Spanish|-
Cyprus|Nicosia|-|euro|Greek,Turkish|-
the Czech Republic|Prague|Europe|koruna|Czech|Germany,Poland,Slovakia,Austria
Denmark|Copenhagen|Europe|krone|Danish|Germany,Canada,Sweden
Djibouti|Djibouti City|Africa|franc|French,Arabic|Ethiopia,Somalia,Eritrea
the Dominican Republic|Santo Domingo|North America|peso|Spanish|Haiti
Ecuador|Quito|South America|dollar|Spanish|Peru,Colombia
Egypt|Cairo|Africa|pound|Arabic|Libya,Sudan
El Salvador|San Salvador|North America|dollar|Spanish|Guatemala,Honduras
Eritrea|Asmara|Africa|nakfa|Tigrinya,Arabic,English|Ethiopia,Sudan,Djibouti
Estonia|Tallinn|Europe|euro|Estonian|Latvia,Russia
Ethiopia|Addis Ababa|Africa|birr|Amharic,Somali|Kenya,Somalia,Sudan,Eritrea,Djibouti
Fiji|Suva|-|dollar|English,Hindi|-
Finland|Helsinki|Europe|euro|Finnish,Swedish|Sweden,Norway,Russia
France|Paris|Europe|euro|French|Spain,Germany,Italy,Belgium,Switzerland,Luxembourg,Brazil,Suriname,the Netherlands
Gabon|Libreville|Africa|franc|French|Cameroon
the Gambia|Banjul|Africa|dalasi|English|Senegal
Georgia|Tbilisi|-|lari|Georgian|Armenia,Turkey,Russia,Azerbaijan
Germany|Berlin|Europe|euro|German|France,Poland,Austria,Denmark,the Netherlands,Belgium,Switzerland,Luxembourg,the Czech Republic
Ghana|Accra|Africa|cedi|English|Togo,the Ivory Coast,Burkina Faso
Greece|Athens|Europe|euro|Greek|Albania,Bulgaria,Turkey,North Macedonia
Guatemala|Guatemala City|North America|quetzal|Spanish|Mexico,Belize,Honduras,El Salvador
Guinea|Conakry|Africa|franc|French|Senegal,Mali,Sierra Leone,Liberia,the Ivory Coast
Guyana|Georgetown|South America|dollar|English|Venezuela,Suriname,Brazil
Haiti|Port-au-Prince|North America|gourde|French|the Dominican Republic
Honduras|Tegucigalpa|North America|lempira|Spanish|Guatemala,Nicaragua,El Salvador
Hungary|Budapest|Europe|forint|Hungarian|Austria,Slovakia,Romania,Serbia,Ukraine,Croatia,Slovenia
Iceland|Reykjavik|Europe|krona|Icelandic|-
India|New Delhi|Asia|rupee|Hindi,English|Pakistan,Nepal,China,Bangladesh,Bhutan,Myanmar,Afghanistan,Sri Lanka
Indonesia|Jakarta|Asia|rupiah|Indonesian|Malaysia
Iran|Tehran|Asia|rial|Persian|Iraq,Turkey,Afghanistan,Pakistan,Armenia,Turkmenistan,Azerbaijan
Iraq|Baghdad|Asia|dinar|Arabic|Iran,Syria,Jordan,Kuwait,Turkey,Saudi Arabia
Ireland|Dublin|Europe|euro|English|the United Kingdom
Italy|Rome|Europe|euro|Italian|France,Switzerland,Austria,Slovenia
the Ivory Coast|Yamoussoukro|Africa|franc|French|-
Jamaica|Kingston|North America|dollar|English|-
Japan|Tokyo|Asia|yen|Japanese|-
Jordan|Amman|Asia|dinar|Arabic|Iraq,Syria,Saudi Arabia
Kazakhstan|Astana|Asia|tenge|Kazakh,Russian|Russia,China,Uzbekistan,Kyrgyzstan,Turkmenistan
Kenya|Nairobi|Africa|shilling|Swahili,English|Tanzania,Uganda,Ethiopia,Somalia
Kuwait|Kuwait City|Asia|dinar|Arabic|Iraq,Saudi Arabia
Kyrgyzstan|Bishkek|Asia|som|Kyrgyz,Russian|Kazakhstan,China,Uzbekistan,Tajikistan
Laos|Vientiane|Asia|kip|Lao|Thailand,Vietnam,Cambodia,China,Myanmar
Latvia|Riga|Europe|euro|Latvian|Estonia,Lithuania,Russia,Belarus
Lebanon|Beirut|Asia|pound|Arabic|Syria
Lesotho|Maseru|Africa|loti|-|South Africa
Liberia|Monrovia|Africa|dollar|English|Guinea,Sierra Leone
Libya|Tripoli|Africa|dinar|Arabic|Egypt,Tunisia,Algeria,Chad,Niger,Sudan
Lithuania|Vilnius|Europe|euro|Lithuanian|Latvia,Poland,Belarus,Russia
Luxembourg|Luxembourg City|Europe|euro|-|Belgium,France,Germany
Madagascar|Antananarivo|Africa|ariary|Malagasy,French|-
Malawi|Lilongwe|Africa|kwacha|-|Zambia,Tanzania,Mozambique
Malaysia|Kuala Lumpur|Asia|ringgit|Malay|Thailand,Indonesia,Brunei
the Maldives|Male|Asia|rufiyaa|Dhivehi|-
Mali|Bamako|Africa|franc|-|Niger,Algeria,Senegal,Mauritania,Guinea,Burkina Faso
Malta|Valletta|Europe|euro|Maltese,English|-
Mauritania|Nouakchott|Africa|ouguiya|Arabic|Mali,Senegal,Algeria
Mauritius|Port Louis|Africa|rupee|-|-
Mexico|Mexico City|North America|peso|Spanish|the United States,Guatemala,Belize
Moldova|Chisinau|Europe|leu|Romanian|Romania,Ukraine
Monaco|Monaco|Europe|euro|French|France
Mongolia|Ulaanbaatar|Asia|tugrik|Mongolian|China,Russia
Montenegro|Podgorica|Europe|euro|-|Albania,Serbia,Croatia
Morocco|Rabat|Africa|dirham|Arabic|Algeria,Spain,Mauritania
Mozambique|Maputo|Africa|metical|Portuguese|Tanzania,Malawi,Zambia,Zimbabwe,South Africa
Myanmar|Naypyidaw|Asia|kyat|Burmese|Thailand,India,China,Laos,Bangladesh
Namibia|Windhoek|Africa|dollar|English|Angola,Botswana,South Africa,Zambia
Nepal|Kathmandu|Asia|rupee|Nepali|India,China
the Netherlands|Amsterdam|Europe|euro|Dutch|Germany,Belgium,France
New Zealand|Wellington|-|dollar|English|-
Nicaragua|Managua|North America|cordoba|Spanish|Costa Rica,Honduras
Niger|Niamey|Africa|franc|-|Nigeria,Mali,Algeria,Chad,Libya,Benin,Burkina Faso
Nigeria|Abuja|Africa|naira|English|Benin,Niger,Cameroon,Chad
North Korea|Pyongyang|Asia|won|Korean|South Korea,China,Russia
North Macedonia|Skopje|Europe|denar|Macedonian,Albanian|Greece,Albania,Bulgaria,Serbia
Norway|Oslo|Europe|krone|Norwegian|Sweden,Finland,Russia
Oman|Muscat|Asia|rial|Arabic|Yemen,Saudi Arabia
Pakistan|Islamabad|Asia|rupee|Urdu,English|India,Iran,Afghanistan,China
Panama|Panama City|North America|balboa|Spanish|Costa Rica,Colombia
Papua New Guinea|Port Moresby|-|kina|-|Indonesia
Paraguay|Asuncion|South America|guarani|Spanish|Argentina,Bolivia,Brazil
Peru|Lima|South America|sol|Spanish|Chile,Ecuador,Bolivia,Colombia,Brazil
the Philippines|Manila|Asia|peso|Filipino,English|-
Poland|Warsaw|Europe|zloty|Polish|Germany,Ukraine,Slovakia,Lithuania,Belarus,Russia,the Czech Republic
Portugal|Lisbon|Europe|euro|Portuguese|Spain
Qatar|Doha|Asia|riyal|Arabic|Saudi Arabia
Romania|Bucharest|Europe|leu|Romanian|Bulgaria,Hungary,Serbia,Ukraine,Moldova
Russia|Moscow|-|ruble|Russian|-
Rwanda|Kigali|Africa|franc|Kinyarwanda,English,French,Swahili|Burundi,Uganda,Tanzania
Samoa|Apia|-|tala|Samoan,English|-
Saudi Arabia|Riyadh|Asia|riyal|Arabic|Jordan,Iraq,Kuwait,Qatar,Oman,Yemen
Senegal|Dakar|Africa|franc|French|Mali,Mauritania,Guinea,the Gambia
Serbia|Belgrade|Europe|dinar|Serbian|Hungary,Romania,Bulgaria,Croatia,Montenegro,North Macedonia,Bosnia and Herzegovina
Sierra Leone|Freetown|Africa|leone|English|Guinea,Liberia
Singapore|Singapore|Asia|dollar|-|-
Slovakia|Bratislava|Europe|euro|Slovak|Poland,Hungary,Austria,Ukraine,the Czech Republic
Slovenia|Ljubljana|Europe|euro|Slovene|Italy,Austria,Croatia,Hungary
Somalia|Mogadishu|Africa|shilling|Somali,Arabic|Kenya,Ethiopia,Djibouti
South Africa|-|Africa|rand|-|Namibia,Botswana,Zimbabwe,Mozambique,Lesotho
South Korea|Seoul|Asia|won|Korean|North Korea
South Sudan|Juba|Africa|pound|English|-
Spain|Madrid|Europe|euro|Spanish|Portugal,France,Morocco
Sri Lanka|-|Asia|rupee|Sinhala,Tamil|-
Sudan|Khartoum|Africa|pound|Arabic,English|Egypt,Chad,Ethiopia,Libya,Eritrea
Suriname|Paramaribo|South America|dollar|Dutch|Guyana,Brazil,France
Sweden|Stockholm|Europe|krona|Swedish|Norway,Finland,Denmark
Switzerland|Bern|Europe|franc|German,French,Italian|Italy,France,Austria,Germany
Syria|Damascus|Asia|pound|Arabic|Iraq,Jordan,Turkey,Lebanon
Tajikistan|Dushanbe|Asia|somoni|Tajik,Persian|China,Afghanistan,Uzbekistan,Kyrgyzstan
Tanzania|Dodoma|Africa|shilling|Swahili,English|Kenya,Uganda,Zambia,Malawi,Rwanda,Burundi,Mozambique
Thailand|Bangkok|Asia|baht|Thai|Laos,Cambodia,Malaysia,Myanmar
Togo|Lome|Africa|franc|French|Ghana,Benin,Burkina Faso
Tonga|Nuku'alofa|-|pa'anga|Tongan,English|-
Trinidad and Tobago|Port of Spain|North America|dollar|English|-
Tunisia|Tunis|Africa|dinar|Arabic|Algeria,Libya
Turkey|Ankara|-|lira|Turkish|Greece,Bulgaria,Syria,Iraq,Iran,Georgia,Armenia,Azerbaijan
Turkmenistan|Ashgabat|Asia|manat|Turkmen|Iran,Afghanistan,Uzbekistan,Kazakhstan
Uganda|Kampala|Africa|shilling|English,Swahili|Kenya,Tanzania,Rwanda
Ukraine|Kyiv|Europe|hryvnia|Ukrainian|Poland,Romania,Moldova,Hungary,Slovakia,Belarus,Russia
the United Arab Emirates|Abu Dhabi|Asia|dirham|Arabic|Oman,Saudi Arabia
the United Kingdom|London|Europe|pound|English|Ireland,France,Spain
the United States|Washington|North America|dollar|English|Canada,Mexico,Russia,Cuba
Uruguay|Montevideo|South America|peso|Spanish|Brazil,Argentina
Uzbekistan|Tashkent|Asia|som|Uzbek|Kazakhstan,Turkmenistan,Tajikistan,Kyrgyzstan,Afghanistan
Vanuatu|Port Vila|-|vatu|Bislama,English,French|-
Venezuela|Caracas|South America|bolivar|Spanish|Colombia,Guyana,Brazil
Vietnam|Hanoi|Asia|dong|Vietnamese|Laos,Cambodia,China
Yemen|Sanaa|Asia|rial|Arabic|Oman,Saudi Arabia
Zambia|Lusaka|Africa|kwacha|English|Angola,Zimbabwe,Malawi,Tanzania,Namibia,Botswana,Mozambique
Zimbabwe|Harare|Africa|-|-|Zambia,Botswana,Mozambique,South Africa,Namibia
"""

# river | continent | water it flows into | one fact
RIVERS = """
the Nile|Africa|the Mediterranean Sea|it is the longest river in Africa
the Amazon|South America|the Atlantic Ocean|it carries more water than any other river on Earth
the Mississippi|North America|the Gulf of Mexico|it crosses the United States from north to south
the Yangtze|Asia|the East China Sea|it is the longest river in Asia
the Danube|Europe|the Black Sea|it passes through ten countries
the Rhine|Europe|the North Sea|it begins in the Swiss Alps
the Ganges|Asia|the Bay of Bengal|it is a holy river for Hindus
the Congo|Africa|the Atlantic Ocean|it is the deepest river in the world
the Volga|Europe|the Caspian Sea|it is the longest river in Europe
the Thames|Europe|the North Sea|it runs through London
the Seine|Europe|the English Channel|it runs through Paris
the Mekong|Asia|the South China Sea|it passes through six countries
the Niger|Africa|the Gulf of Guinea|it bends like a boomerang through West Africa
the Zambezi|Africa|the Indian Ocean|it falls over a cliff at Victoria Falls
the Indus|Asia|the Arabian Sea|it gives water to the fields of Pakistan
the Po|Europe|the Adriatic Sea|it is the longest river in Italy
"""

# mountain | where (country or border) | range | height in metres
MOUNTAINS = """
Mount Everest|Nepal,China|the Himalayas|8849
K2|Pakistan,China|the Karakoram|8611
Kilimanjaro|Tanzania|-|5895
Mont Blanc|France,Italy|the Alps|4806
Mount Fuji|Japan|-|3776
Denali|the United States|the Alaska Range|6190
Aconcagua|Argentina|the Andes|6961
Mount Elbrus|Russia|the Caucasus|5642
the Matterhorn|Switzerland,Italy|the Alps|4478
Mount Logan|Canada|the Saint Elias Mountains|5959
Ben Nevis|the United Kingdom|the Grampian Mountains|1345
Mount Olympus|Greece|-|2917
Mount Cook|New Zealand|the Southern Alps|3724
Mount Kenya|Kenya|-|5199
Mount Etna|Italy|-|-
"""

# famous place | country | city or "-" | what it is
PLACES = """
the Eiffel Tower|France|Paris|tall iron tower
the Colosseum|Italy|Rome|large stone arena
Big Ben|the United Kingdom|London|famous clock bell
the Statue of Liberty|the United States|New York|tall copper statue
the Great Wall|China|-|very long old wall
the Taj Mahal|India|Agra|white marble tomb
Machu Picchu|Peru|-|stone city high in the mountains
the Great Pyramid|Egypt|Giza|huge stone tomb
the Acropolis|Greece|Athens|hill with old temples
the Sydney Opera House|Australia|Sydney|concert hall with white shells
the Leaning Tower|Italy|Pisa|bell tower that leans
the Brandenburg Gate|Germany|Berlin|large stone gate
Petra|Jordan|-|city cut into red rock
Angkor Wat|Cambodia|-|huge stone temple
Stonehenge|the United Kingdom|-|ring of old stones
the Alhambra|Spain|Granada|palace with gardens
the Golden Gate Bridge|the United States|San Francisco|long red bridge
Chichen Itza|Mexico|-|old city with a step pyramid
the Little Mermaid|Denmark|Copenhagen|small bronze statue
the Hermitage|Russia|Saint Petersburg|very large museum
the Louvre|France|Paris|famous museum
the Sagrada Familia|Spain|Barcelona|tall church
"""

# ocean | rank by size | one fact
OCEANS = """
the Pacific Ocean|largest|it lies between Asia and America
the Atlantic Ocean|second largest|it lies between America and Europe
the Indian Ocean|third largest|it lies south of India
the Southern Ocean|fourth largest|it flows around Antarctica
the Arctic Ocean|smallest|it is covered with ice around the North Pole
"""
